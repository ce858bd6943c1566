"""What `kubeferry deploy` makes of the declarations, with no server."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from kubeferry.tasks.core.models.options_deploy import DeployOptions
from kubeferry.tasks.core.ops.declarations import fitted, flow_of, pools, title

DEPLOYMENTS = Path(__file__).parents[3] / "deployments"
DECLARED = yaml.safe_load((DEPLOYMENTS / "prefect.yaml").read_text())["deployments"]
BY_TITLE = {title(each): each for each in DECLARED}


def fit(named, takes=("store", "context"), **asked):
    return fitted(BY_TITLE[named], DeployOptions(**asked), takes)


def options(named, **asked):
    return fit(named, **asked)["parameters"]


def test_all_parts_have_their_deployments():
    on_demand = {"backup", "restore", "migrate", "migrate-namespace", "populate", "export", "verify", "prune"}
    nightly = {f"{flow}/nightly" for flow in ("backup", "verify", "prune")}
    assert set(BY_TITLE) == {f"{flow}/on-demand" for flow in on_demand} | nightly


def test_namespaces_that_are_named_take_the_place_of_the_label():
    assert options("backup/nightly") == {"namespace_selector": "kubeferry.io/backup=nightly"}
    assert options("backup/nightly", namespaces=["a"]) == {"namespaces": ["a"]}
    assert options("backup/nightly", all_namespaces=True) == {"all_namespaces": True}
    assert options("backup/on-demand", namespaces=["a"]) == {}


def test_what_is_excluded_leaves_the_label():
    found = options("backup/nightly", exclude_namespace=["test-*"])
    assert found == {"namespace_selector": "kubeferry.io/backup=nightly", "exclude_namespace": ["test-*"]}


def test_a_place_goes_only_to_flows_that_take_it():
    assert fit("verify/nightly", ("store",), store="file:///b", context="prod")["parameters"] == {"store": "file:///b"}


def test_prune_is_off_until_somebody_says_what_stays():
    assert [each["active"] for each in fit("prune/nightly")["schedules"]] == [False]
    asked = fit("prune/nightly", keep={"daily": "3", "within": "30d"})
    assert [each["active"] for each in asked["schedules"]] == [True]
    assert asked["parameters"] == {"keep_daily": 3, "keep_within": "30d"}


def test_only_the_flow_that_is_named_moves_and_the_zone_is_of_all():
    asked = {"cron": {"verify": "0 6 * * *"}, "timezone": "Asia/Tokyo"}
    assert fit("verify/nightly", **asked)["schedules"][0]["cron"] == "0 6 * * *"
    backup = fit("backup/nightly", **asked)["schedules"][0]
    assert (backup["cron"], backup["timezone"]) == ("0 2 * * *", "Asia/Tokyo")


@pytest.mark.parametrize("declared", DECLARED, ids=title)
def test_jobs_that_write_and_no_others_are_of_the_pool_whose_account_may(declared):
    job = fitted(declared, DeployOptions(type="kubernetes"), ())["work_pool"]
    writes = flow_of(declared) in {"restore", "migrate", "migrate-namespace", "populate"}
    assert job == {"name": "kubeferry-kubernetes-restore" if writes else "kubeferry-kubernetes", "job_variables": {}}
    assert fitted(declared, DeployOptions(pool="mine"), ())["work_pool"] == {"name": "mine", "job_variables": {}}


def test_the_two_pools_of_jobs_differ_by_their_account_alone():
    template = yaml.safe_load((DEPLOYMENTS / "pools" / "kubernetes.yaml").read_text())
    made = pools(template, DeployOptions(type="kubernetes", pool="mine", image="r/k:1"))
    assert list(made) == ["mine", "mine-restore"]
    specs = [each["job_configuration"]["job_manifest"]["spec"]["template"]["spec"] for each in made.values()]
    assert [each.pop("serviceAccountName") for each in specs] == ["kubeferry-backup", "kubeferry-restore"]
    assert [each["containers"][0]["image"] for each in specs] == ["r/k:1", "r/k:1"]
    assert made["mine"] == made["mine-restore"]
    shipped = yaml.safe_load((DEPLOYMENTS / "pools" / "process.yaml").read_text())
    assert pools(shipped, DeployOptions()) == {"kubeferry": shipped}


@pytest.mark.parametrize("wrong", [{"keep": {"daily": "x"}}, {"keep": {"often": "1"}}, {"notify": "no-slash"}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        DeployOptions(**wrong)
