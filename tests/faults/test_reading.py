"""Faults while a cluster is read: a backup is right or says what is missing, and nothing half-made looks whole."""

import pytest
from tests.faults.actions import answer, cut, delay, in_turn, lose, truncate, truncate_silently
from tests.faults.proxy import EVERY, Rule
from tests.faults.servers import Extension, aggregated, serving
from tests.support.bench import B, name
from tests.support.tiers import fast

from kubeferry.tasks.core.errors import ExpiredError, PermanentError, UnavailableError, UnreachableError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.ports.cluster import transport

pytestmark = pytest.mark.exclusive

READS = "^(?!.*watch=1)"
"""Every path but those of watches."""

PASSING = {
    "429 with Retry-After": answer(429, after=1),
    "429": answer(429),
    "500": answer(500),
    "502, a web page": answer(502, body=b"<html>bad gateway</html>", headers={"Content-Type": "text/html"}),
    "503": answer(503),
    "503 with Retry-After": answer(503, after=1),
    "504": answer(504),
    "slow": delay(0.02),
    "cut before": cut,
    "cut after": lose,
    "truncated": truncate,
    "truncated without length": truncate_silently,
}
"""What happens once to each request."""
PASSING["each in turn"] = in_turn(PASSING.values())
EACH = fast(PASSING, "each in turn")


@pytest.mark.parametrize("fault", EACH)
def test_a_backup_whose_every_request_meets_a_fault_once_is_right(rig, shop, fault):
    rule = Rule(".*", READS, PASSING[fault], each=True)
    rig.a.rules = [rule]
    rig.same_backup(shop.saved, rig.backup(shop.ns))
    assert rule.done == sum(rig.a.injected.values()) > 50


@pytest.mark.parametrize("fault", EACH)
def test_a_restore_whose_every_request_meets_a_fault_once_is_right(rig, shop, fault):
    rule = Rule(".*", READS, PASSING[fault], each=True)
    rig.b.rules = [rule]
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
    assert rule.done == sum(rig.b.injected.values()) > 50


def test_an_answer_that_is_slower_than_the_limit_is_asked_for_again(rig, shop, monkeypatch):
    monkeypatch.setattr(transport, "TIMEOUT", transport.Timeout(connect=5, read=2))
    rig.a.rules = [slow := Rule("GET", "/configmaps", delay(3))]
    rig.b.rules = [late := Rule("POST", "/configmaps", delay(3))]
    saved = rig.backup(shop.ns)
    rig.same_backup(shop.saved, saved)
    rig.same_namespace(shop, rig.restore(saved, map={shop.ns: rig.bench.name()}))
    assert (slow.done, late.done) == (1, 1)


# --- what does not pass

BUSY = {"429": answer(429, after=1), "500": answer(500), "503": answer(503)}
GONE = {"cut before": cut, "cut after": lose, "truncated": truncate, "truncated without length": truncate_silently}


@pytest.mark.parametrize("fault", fast(BUSY, "503"))
def test_a_type_that_cannot_be_listed_is_named_and_the_others_are_there(rig, shop, fault):
    rig.a.rules = [rule := Rule("GET", f"/{shop.ns}/configmaps", BUSY[fault], EVERY)]
    result = rig.backup(shop.ns)
    assert result.phase == Phase.PARTIAL
    what, why = f"configmaps in {shop.ns}", f"list configmaps in {shop.ns}: the proxy says no"
    assert [(each.what, each.why) for each in result.problems] == [(what, why)]
    wanted = {key: digest for key, digest in rig.stored(shop.saved).objects.items() if "/configmaps/" not in key}
    assert rig.stored(result).objects == wanted
    assert rule.done > 6


@pytest.mark.parametrize("fault", fast(GONE, "cut after", "truncated without length"))
def test_a_server_that_hangs_up_for_good_leaves_no_backup_and_its_name_free(rig, shop, fault):
    rig.a.rules = [rule := Rule("GET", f"/{shop.ns}/configmaps", GONE[fault], EVERY)]
    asked = name()
    with rig.refused(r"^cluster kubeferry-a \(http://127.0.0.1:\d+\) is out of reach: .", UnreachableError):
        rig.backup(shop.ns, name=asked)
    assert rule.done > 6
    rig.no_backup(asked)
    rig.quiet()
    rig.same_backup(shop.saved, rig.backup(shop.ns, name=asked))


@pytest.mark.parametrize("fault", fast([*BUSY, *GONE], "503", "truncated"))
def test_without_discovery_there_is_no_backup(rig, shop, fault):
    """A group that is not listed would be a silent gap."""
    rig.a.rules = [rule := Rule("GET", "^/apis$", (BUSY | GONE)[fault], EVERY)]
    asked = name()
    with rig.refused("the proxy says no|is out of reach: ", (UnavailableError, UnreachableError)):
        rig.backup(shop.ns, name=asked)
    assert rule.done > 2
    rig.no_backup(asked)


@pytest.mark.parametrize("fault", fast([*BUSY, *GONE], "500", "cut before"))
def test_without_discovery_nothing_is_restored(rig, kiosk, fault):
    rig.b.rules = [rule := Rule("GET", "^/apis$", (BUSY | GONE)[fault], EVERY)]
    copy = rig.bench.name()
    with rig.refused("the proxy says no|is out of reach: ", (UnavailableError, UnreachableError)):
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done > 2
    assert rig.bench.find("Namespace", "", copy, B) is None
    assert not [path for method, path in rig.b.seen if method == "POST" and "namespaces" in path]


def test_a_login_page_is_no_empty_cluster(rig, shop):
    page = answer(200, body=b"<html>log in</html>", headers={"Content-Type": "text/html"})
    rig.a.rules = [rule := Rule("GET", f"/{shop.ns}/configmaps", page, EVERY)]
    asked = name()
    with rig.refused("the answer is not JSON", PermanentError):
        rig.backup(shop.ns, name=asked)
    assert rule.done
    rig.no_backup(asked)


EXPIRED = answer(410, body=b'{"kind":"Status","code":410,"reason":"Expired","message":"the token is too old"}')


def test_a_token_that_expires_makes_a_backup_begin_again(rig, shop):
    rig.a.rules = [rule := Rule("GET", "/configmaps.*continue=", EXPIRED)]
    result = rig.backup(shop.ns)
    assert rule.done == 1
    assert any("was compacted away while it was read: starting again" in note for note in rig.recorded.notes)
    rig.same_backup(shop.saved, result)


def test_tokens_that_always_expire_end_a_backup(rig, shop):
    rig.a.rules = [rule := Rule("GET", "/configmaps.*continue=", EXPIRED, EVERY)]
    asked = name()
    with rig.refused(f"^list configmaps in {shop.ns}: the token is too old", ExpiredError):
        rig.backup(shop.ns, name=asked)
    assert rule.done == 3
    rig.no_backup(asked)


def test_tokens_that_expire_while_a_restore_looks_at_the_target_are_taken_again(rig, shop):
    """Each list (of the wait, of verify) is begun again; what was read before is not counted twice."""
    verified = Rule("GET", "continue=", EXPIRED, range(1, 5))
    waited = Rule("GET", r"/deployments\?limit=", EXPIRED)
    rig.b.rules = [verified, waited]
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
    assert (verified.done, waited.done) == (4, 1)


def test_tokens_that_always_expire_end_a_restore(rig, kiosk):
    rig.b.rules = [rule := Rule("GET", "/configmaps.*continue=", EXPIRED, EVERY)]
    with rig.in_vain("^list configmaps in .*: the token is too old", ExpiredError) as copy:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done < 50
    rig.once_more(kiosk, copy)


# --- an aggregated API of its own


@pytest.fixture
def gadgets(rig, tmp_path):
    """A namespace on B with an object of a type that another server keeps, and that server."""
    ns, home = rig.bench.namespace("gadgets", B), rig.bench.namespace("extension", B)
    extension = Extension(f"{ns}.example.com")
    with serving(tmp_path) as server:
        server.respond = extension.respond
        service, api = aggregated(extension, server, home)
        rig.bench.make(service, home, B)
        rig.bench.make(api, context=B)
        try:
            rig.bench.until(lambda: rig.bench.clusters[B].discover().by_kind(extension.group, "Gadget"))
            obj = f"{{apiVersion: {extension.group}/v1, kind: Gadget, metadata: {{name: one}}}}"
            rig.bench.make(obj, ns, B)
            yield ns, extension
        finally:
            rig.bench.delete("APIService", "", f"v1.{extension.group}", B)


def test_an_aggregated_api_that_answers_503_is_named(rig, gadgets):
    ns, extension = gadgets
    whole = rig.backup(ns, context=B)
    assert (whole.phase, whole.counts[f"Gadget.{extension.group}"]) == (Phase.COMPLETED, 1)
    extension.failing = {"read"}
    result = rig.backup(ns, context=B)
    problems = {each.what: each.why for each in result.problems}
    type_name = f"gadgets.{extension.group} in {ns}"
    assert (result.phase, problems) == (Phase.PARTIAL, {type_name: f"list {type_name}: the gadgets are being counted"})
    assert extension.asked.count("read") > 6
    assert result.counts == {kind: count for kind, count in whole.counts.items() if not kind.startswith("Gadget")}


def test_an_aggregated_api_that_answers_503_ends_the_restore_that_needs_it(rig, gadgets):
    ns, extension = gadgets
    saved = rig.backup(ns, context=B)
    extension.failing = {"create"}
    with rig.in_vain("^create Gadget .*/one: the gadgets are being counted", UnavailableError) as copy:
        rig.restore(saved, map={ns: copy})
    extension.failing = set()
    assert rig.restore(saved, map={ns: copy}).phase == Phase.COMPLETED


def test_an_aggregated_api_that_is_gone_is_no_matter_to_a_restore_that_does_not_need_it(rig, shop, gadgets):
    _, extension = gadgets
    extension.failing = {"discover", "read"}
    rig.bench.until(lambda: rig.bench.clusters[B].discover().problems)
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
