"""The doctor's verdicts: each is right on what is well and on what is not, and says what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.ops import health, health_prefect, rights
from kubeferry.tasks.core.ops.health import Finding, Level, exit_code, related, worst
from kubeferry.tasks.core.ops.health_prefect import BACKUP, Scheduled, due, newest_backup, schedule
from kubeferry.tasks.core.ops.rights import NAMESPACES, Right, gives

NOW = datetime(2026, 11, 28, 3, 34, 18, tzinfo=UTC)
ALL = frozenset({"list", "create"})
SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True, verbs=ALL)
DEPLOYMENTS = ResourceType("apps", "v1", "Deployment", "deployments", namespaced=True, verbs=ALL)
VOLUMES = ResourceType("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False, verbs=ALL)
EVENTS = ResourceType("", "v1", "Event", "events", namespaced=True, verbs=ALL)
TYPES = [SECRETS, DEPLOYMENTS, VOLUMES, EVENTS]


def named(check, finding):
    return replace(finding, check=check)


OK, WARNING, FAILED, SKIPPED = (
    Finding.ok("a"), Finding.warning("b", "c"), Finding.failed("d", "e"), Finding.skipped("f"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("findings", "level", "code"),
    [
        ([], Level.OK, 0),
        ([OK, SKIPPED], Level.OK, 0),
        ([OK, WARNING], Level.WARNING, 3),
        ([WARNING, FAILED, OK], Level.FAILED, 1),
    ],
)
def test_the_worst_decides(findings, level, code):
    assert (worst(findings), exit_code(findings)) == (level, code)


def test_what_fails_with_what_it_needs_is_reported_once():
    blind = Finding.blind("d", "e")
    found = [named("cluster", FAILED), named("rights", blind), named("clock", FAILED), named("store", blind)]
    rows = related(found, {"rights": "cluster", "clock": "cluster"})
    assert [each.level for each in rows] == [Level.FAILED, Level.SKIPPED, Level.FAILED, Level.FAILED]
    assert rows[1].found == "see cluster"
    assert related([named("cluster", OK), named("rights", blind)], {"rights": "cluster"})[1].level is Level.FAILED


# --- clocks


def date(off):
    return (NOW + timedelta(seconds=off)).strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    ("off", "level", "message"),
    [
        (0, Level.OK, "agrees"),
        (10, Level.OK, "differs by 10 s"),
        (40, Level.WARNING, "40 s ahead of"),
        (-41, Level.WARNING, "40 s behind"),
        (1000, Level.FAILED, "1000 s ahead of"),
        (-1001, Level.FAILED, "1000 s behind"),
    ],
)
def test_a_clock(off, level, message):
    found = health.clock(date(off), NOW, NOW)
    assert found.level is level
    assert message in found.found
    assert ("NTP" in found.todo) is (level is not Level.OK)


def test_a_slow_answer_is_no_wrong_clock():
    assert health.clock(date(25), NOW, NOW + timedelta(seconds=50)).found.startswith("agrees")


@pytest.mark.parametrize("text", ["", "yesterday"])
def test_a_server_without_a_clock(text):
    assert health.clock(text, NOW, NOW).level is Level.SKIPPED


# --- versions

WANTED = ["prefect<3.9,>=3.8.8", "fastapi<0.153", "kubernetes>=37.0.1", 'ruff>=0.1; extra == "dev"']
"""As the metadata of an installation has them: the upper bound first."""
GOOD = {"prefect": "3.8.8", "fastapi": "0.152.1", "kubernetes": "37.0.1"}


def test_versions_as_they_should_be():
    found = health.versions((3, 11, 7), WANTED, GOOD)
    assert (found.level, found.found) == (Level.OK, "Python 3.11.7, prefect 3.8.8, kubernetes 37.0.1")


@pytest.mark.parametrize(
    "changes",
    [{"prefect": "3.8.13"}, {"kubernetes": "37.1"}, {"kubernetes": "38"}, {"fastapi": "0.9"}],
    ids=str,
)
def test_any_version_of_a_range_is_right(changes):
    assert health.versions((3, 11, 7), WANTED, GOOD | changes).level is Level.OK


def test_the_packages_that_are_looked_up_are_those_that_are_required_or_shown():
    assert health.required(WANTED) == {"prefect", "fastapi", "kubernetes", "ruff"}
    assert health.required(["rich>=15.0.0", "boto3"]) == {"prefect", "kubernetes", "rich"}


def test_a_range_may_begin_at_a_version_with_fewer_numbers():
    assert health.versions((3, 11, 7), ["rich>=15.0.0"], {"rich": "15.0"}).level is Level.OK


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prefect": "3.9.0"}, "prefect 3.9.0 instead of >=3.8.8,<3.9"),
        ({"prefect": "3.9.0rc1"}, "prefect 3.9.0rc1 instead of >=3.8.8,<3.9"),
        ({"prefect": "3.8.7"}, "prefect 3.8.7 instead of >=3.8.8,<3.9"),
        ({"kubernetes": "37.0.0"}, "kubernetes 37.0.0 instead of >=37.0.1"),
        ({"fastapi": "0.155.0"}, "fastapi 0.155.0 instead of <0.153"),
        ({"fastapi": ""}, "fastapi missing instead of <0.153"),
    ],
)
def test_other_versions_are_named(changes, message):
    found = health.versions((3, 12, 0), WANTED, GOOD | changes)
    assert found.level is Level.FAILED
    assert message in found.found
    assert "constraints.txt" in found.todo


def test_an_old_python():
    assert health.versions((3, 10, 2), WANTED, GOOD).level is Level.FAILED


@pytest.mark.parametrize(
    ("version", "problems", "level"),
    [
        ("v1.27.0", {}, Level.OK),
        ("v1.36.1", {}, Level.OK),
        ("v1.30.4-gke.100", {}, Level.OK),
        ("v1.26.15", {}, Level.FAILED),
        ("v1.36.1", {"metrics.k8s.io/v1": "Stale"}, Level.WARNING),
    ],
)
def test_an_api_servers_version(version, problems, level):
    found = health.kubernetes("here", version, problems)
    assert found.level is level
    assert version in found.found
    assert all(each in found.found for each in problems)


# --- rights


def test_what_a_backup_asks_for():
    asked = {str(each) for each in rights.for_backup(TYPES, ["shop"])}
    assert asked == {
        "get namespaces", "list persistentvolumes", "list secrets in shop", "list deployments.apps in shop",
    }  # fmt: skip
    assert "list secrets" in {str(each) for each in rights.for_backup(TYPES, [])}


def test_what_a_restore_asks_for():
    asked = {str(each) for each in rights.for_restore(TYPES, ["shop"])}
    assert {
        "create namespaces", "create secrets in shop", "watch deployments.apps in shop", "create persistentvolumes",
        "patch leases.coordination.k8s.io in shop", "create bundles.kubeferry.io in shop",
    } <= asked  # fmt: skip
    assert not [each for each in asked if "events" in each]


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ({"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]}, True),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
        ({"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"]}, False),
        ({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}, False),
        ({"verbs": ["list"], "apiGroups": ["apps"], "resources": ["secrets"]}, False),
        ({"verbs": ["list"], "apiGroups": [""], "resources": ["secrets/status", "*/status"]}, False),
    ],
)
def test_what_a_rule_gives(rule, given):
    assert gives([rule], Right("list", SECRETS, "shop")) is given


def test_a_rule_for_subresources():
    status = Right("patch", replace(DEPLOYMENTS, resource="deployments/status"), "shop")
    assert gives([{"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["*/status"]}], status)
    assert not gives([{"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"]}], status)


def test_rights_of_a_backup():
    asked = rights.for_backup(TYPES, ["shop"])
    assert rights.to_back_up(asked, [], []).level is Level.OK
    one = rights.to_back_up(asked, [Right("list", SECRETS, "shop")], [])
    assert (one.level, one.found) == (Level.WARNING, "may not list secrets in shop")
    assert rights.to_back_up(asked, asked, []).level is Level.FAILED
    assert rights.to_back_up(asked, [Right("get", NAMESPACES)], []).level is Level.FAILED
    absent = rights.to_back_up(asked, [], ["shop"])
    assert absent.level is Level.WARNING
    assert "namespace shop does not exist" in absent.found


def test_rights_of_a_restore_are_a_warning_that_does_not_grow_for_ever():
    asked = rights.for_restore(TYPES, ["shop", "billing"])
    assert rights.to_restore(asked, []).level is Level.OK
    found = rights.to_restore(asked, asked)
    assert found.level is Level.WARNING
    assert found.found.endswith(f"and {len(asked) - 8} more")
    assert "--no-bundle" in found.todo


# --- Prefect


def server(version, client="3.8.8", settings=None, *, local=False):
    return health_prefect.server("http://here/api", version, client, settings or {}, local=local)


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("3.8.8", Level.OK),
        ("3.9.0", Level.OK),
        ("3.8.8+dev.1", Level.OK),
        ("3.7.0", Level.WARNING),
        ("2.20.1", Level.FAILED),
        ("4.0.0", Level.FAILED),
    ],
)
def test_a_servers_version(version, level):
    found = server(version)
    assert found.level is level
    assert bool(found.todo) is (level is not Level.OK)


def test_which_server_and_which_database():
    database = {"driver": "postgresql+asyncpg", "host": "db.example"}
    assert "PostgreSQL at db.example" in server("3.8.8", settings={"server": {"database": database}}).found
    assert "does not show" in server("3.8.8", settings={"server": {"database": {"connection_url": "***"}}}).found
    assert "the local one, http://here/api, Prefect 3.8.8, database: SQLite" in server("3.8.8", local=True).found


def test_a_server_that_is_not_up():
    assert health_prefect.stopped(started=False).todo == "kubeferry server start"
    assert "starting" in health_prefect.stopped(started=True).found


def beat(seconds, **more):
    return {
        "last_heartbeat_time": (NOW - timedelta(seconds=seconds)).isoformat(),
        "heartbeat_interval_seconds": 30,
        **more,
    }


@pytest.mark.parametrize(
    ("pools", "workers", "level", "message", "todo"),
    [
        ({}, {}, Level.WARNING, "no work pool", "kubeferry deploy"),
        ({"kubeferry": {}}, {}, Level.WARNING, "no worker yet", "kubeferry worker"),
        ({"kubeferry": {}}, {"kubeferry": [beat(5)]}, Level.OK, "kubeferry: 1 worker online", ""),
        ({"kubeferry": {}}, {"kubeferry": [beat(5), beat(9)]}, Level.OK, "2 workers", ""),
        ({"kubeferry": {}}, {"kubeferry": [beat(7200)]}, Level.WARNING, "was 2 h ago", "kubeferry worker"),
        ({"kubeferry": {}}, {"kubeferry": [beat(5, status="OFFLINE")]}, Level.WARNING, "was 5 s ago", "worker"),
        ({"kubeferry": {"is_paused": True}}, {"kubeferry": [beat(5)]}, Level.WARNING, "paused", "pool resume"),
        (
            {"kubeferry": {}, "kubeferry-kubernetes": {}}, {"kubeferry": [beat(5)]},
            Level.WARNING, "kubeferry-kubernetes: no worker yet", "deployments/kubernetes",
        ),
    ],
)  # fmt: skip
def test_workers(pools, workers, level, message, todo):
    found = health_prefect.worker(pools, workers, NOW)
    assert found.level is level
    assert message in found.found
    assert todo in found.todo


# --- deployments

BACKUP_AT, PRUNE_AT = "kubeferry.flows.backup.backup", "kubeferry.flows.prune.prune"
DECLARED = {"backup/nightly": BACKUP_AT, "backup/on-demand": BACKUP_AT, "prune/nightly": PRUNE_AT}


def test_deployments_with_the_entry_points_of_now():
    found = health_prefect.deployments(DECLARED, {"backup/nightly": BACKUP_AT, "prune/nightly": PRUNE_AT})
    assert (found.level, found.todo) == (Level.OK, "")
    assert found.found.startswith("2 registered")


def test_no_deployment():
    found = health_prefect.deployments(DECLARED, {})
    assert (found.level, found.found) == (Level.SKIPPED, "none is registered")


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("flows.backup.backup", "flows.backup.backup"),
        ("flows/backup.py:backup", "flows/backup.py:backup"),
        (PRUNE_AT, PRUNE_AT),
        ("kubeferry.flows.backup:backup", "kubeferry.flows.backup:backup"),
        ("", "none"),
        (None, "none"),
    ],
)
def test_a_deployment_with_another_entry_point_is_to_be_registered_again(at, message):
    found = health_prefect.deployments(DECLARED, {"backup/on-demand": at, "prune/nightly": PRUNE_AT})
    assert found == Finding.warning(
        f"entry points of another version of Kubeferry: backup/on-demand ({message})",
        "repeat kubeferry deploy with the same options",
    )


def test_of_many_deployments_with_old_entry_points_three_are_named():
    old = {f"{flow}/on-demand": f"flows.{flow}.{flow}" for flow in ("verify", "backup", "migrate", "prune", "restore")}
    found = health_prefect.deployments(dict.fromkeys(old, BACKUP_AT), old).found
    assert found.endswith(
        ": backup/on-demand (flows.backup.backup), migrate/on-demand (flows.migrate.migrate), "
        "prune/on-demand (flows.prune.prune) and 2 more"
    )


def test_deployments_whose_one_parameter_holds_all_options_are_to_be_registered_again():
    registered = {"backup/nightly": BACKUP_AT, "prune/nightly": PRUNE_AT}
    assert health_prefect.deployments(DECLARED, registered, ["prune/nightly"]) == Finding.warning(
        "parameters of an earlier version, where a run's options replace all those of its deployment: prune/nightly",
        "repeat kubeferry deploy with the same options",
    )


# --- schedules


def deployment(cron="0 1 * * *", created="2026-11-01T00:00:00Z", *, active=True, paused=False):
    one = {"active": active, "schedule": {"cron": cron, "timezone": "UTC"}, "created": created}
    return {"created": created, "paused": paused, "schedules": [one]}


def verdict(made, completed=None, last=None):
    begun = datetime.fromisoformat(completed) if completed else None
    return schedule(BACKUP, Scheduled(made, begun, last), NOW, ZoneInfo)


def test_no_schedule():
    assert schedule(BACKUP, None, NOW, ZoneInfo).todo == "kubeferry deploy NAMESPACE"
    assert schedule("prune/nightly", None, NOW, ZoneInfo).level is Level.SKIPPED


def test_a_schedule_that_was_met():
    found = verdict(deployment(), "2026-11-28T01:00:05+00:00")
    assert (found.level, found.found) == (Level.OK, "0 1 * * *: completed 2 h ago")


def test_a_schedule_that_was_missed():
    late = {"start_time": "2026-11-28T01:00:05+00:00", "state_name": "Crashed", "state_type": "CRASHED"}
    found = verdict(deployment(), "2026-11-27T01:00:05+00:00", late)
    assert found.level is Level.FAILED
    assert "due (0 1 * * *) 2 h ago; the last one is Crashed, started 2 h ago" in found.found
    assert "none has started" in verdict(deployment()).found


def test_a_run_has_an_hour():
    assert verdict(deployment("0 3 * * *"), "2026-11-27T03:00:05+00:00").level is Level.OK
    assert verdict(deployment("30 2 * * *"), "2026-11-27T02:30:05+00:00").level is Level.FAILED


@pytest.mark.parametrize(
    ("cron", "completed", "level"),
    [
        ("*/2 * * * *", "2026-11-28T03:33:00+00:00", Level.OK),
        ("*/2 * * * *", "2026-11-28T03:32:05+00:00", Level.OK),  # the one of 03:34 may be about to start
        ("*/2 * * * *", "2026-11-28T03:30:05+00:00", Level.FAILED),
        ("* * * * *", "2026-11-28T03:32:30+00:00", Level.FAILED),
        ("*/10 * * * *", "2026-11-28T03:20:05+00:00", Level.OK),
        ("*/10 * * * *", "2026-11-28T03:10:05+00:00", Level.FAILED),
        ("0 * * * *", "2026-11-28T02:00:05+00:00", Level.OK),
        ("0 * * * *", "2026-11-28T01:00:05+00:00", Level.FAILED),
        # Due yesterday and two minutes ago: neither is the other's next.
        ("58 2 * * *", "2026-11-27T02:58:05+00:00", Level.OK),
    ],
)
def test_of_a_schedule_of_minutes_one_run_that_is_missed_is_late(cron, completed, level):
    assert verdict(deployment(cron), completed).level is level


def test_of_an_interval_of_seconds_too():
    made = deployment()
    made["schedules"][0]["schedule"] = {"interval": 120, "anchor_date": "2026-11-28T00:00:00Z", "timezone": "UTC"}
    assert verdict(made, "2026-11-28T03:32:05+00:00").level is Level.OK
    assert verdict(made, "2026-11-28T03:29:05+00:00").level is Level.FAILED


@pytest.mark.parametrize(
    ("begun", "state", "level"),
    [
        ("2026-11-28T02:50:00+00:00", "RUNNING", Level.OK),
        ("2026-11-28T02:30:00+00:00", "RUNNING", Level.FAILED),
        ("2026-11-28T02:50:00+00:00", "CANCELLED", Level.FAILED),
    ],
)
def test_a_run_that_takes_longer_than_its_schedule_is_not_missed_for_an_hour(begun, state, level):
    last = {"start_time": begun, "state_name": state, "state_type": state}
    assert verdict(deployment("*/2 * * * *"), "2026-11-28T02:48:05+00:00", last).level is level


def test_a_weekend_is_no_gap():
    assert verdict(deployment("0 1 * * mon"), "2026-11-23T01:00:05+00:00").level is Level.OK


def test_what_is_new_is_not_late():
    found = verdict(deployment(created="2026-11-28T02:00:00Z"))
    assert (found.level, found.found) == (Level.OK, "0 1 * * *: no run was due yet")


def test_a_first_run_that_failed_is_reported_before_the_next_is_due():
    made = deployment(created="2026-11-28T02:00:00Z")
    found = verdict(made, None, {"state_type": "FAILED", "state_name": "Failed", "start_time": None})
    assert found.level is Level.WARNING
    assert "Failed" in found.found


def test_a_schedule_that_does_not_run():
    assert "paused" in verdict(deployment(paused=True)).found
    assert "no active schedule" in verdict(deployment(active=False)).found
    assert verdict(deployment(active=False)).level is Level.WARNING


def test_a_rule_is_judged_by_its_runs_only():
    made = deployment()
    made["schedules"][0]["schedule"] = {"rrule": "FREQ=DAILY"}
    assert due(Scheduled(made, None, None), NOW, ZoneInfo) is None
    assert verdict(made).level is Level.OK


def test_the_newest_backup():
    wanted = NOW - timedelta(hours=5)
    assert newest_backup(None, None, NOW).level is Level.SKIPPED
    assert newest_backup(None, wanted, NOW).level is Level.FAILED
    assert newest_backup(("a", "2026-11-28T01:00:00Z"), wanted, NOW).found == "a, 2 h old"
    old = newest_backup(("a", "2026-11-27T01:00:00Z"), wanted, NOW)
    assert old.level is Level.FAILED
    assert "a is 26 h old, though backup/nightly was due 5 h ago" in old.found
    assert newest_backup(("a", "2026-11-27T01:00:00Z"), None, NOW).level is Level.OK
