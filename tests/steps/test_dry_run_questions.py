"""Which objects of a plan are asked about: each shape once, of plain kinds a few, and all that is near a limit."""

import orjson
import pytest

from kubeferry.tasks.core.formats.links import links_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.plan.state import Item, Plan
from kubeferry.tasks.ports.archive.spool import Spool
from kubeferry.tasks.preflight.dry_run.questions import questions


@pytest.fixture
def plan(tmp_path):
    found = Plan(Spool(tmp_path / "spool"))
    yield found
    found.contents.close()


def add(plan, kind, name, api_version="v1", *, source="", **more):
    meta = {"name": name, "namespace": "shop"} | more.pop("metadata", {})
    obj = {"apiVersion": api_version, "kind": kind, "metadata": meta} | more
    ref = Ref.of(obj)
    slot = plan.contents.append(orjson.dumps(obj))
    plan.items[ref] = Item(ref, ref._replace(name=source or name), api_version, slot, links_of(obj))


def asked(plan, judged=()):
    found = questions(plan, plan.items, lambda kind, _: kind[1] in judged)
    return {(each.refs[0].name, each.of_pod): [ref.name for ref in each.refs] for each in found.asked}, found.rest


def test_of_thousands_of_secrets_the_first_the_largest_and_the_longest_name_are_asked_about(plan):
    for number in range(2000):
        add(plan, "Secret", f"s{number:04}", data={"k": "v" * (50 if number == 700 else 5)})
    add(plan, "Secret", "t-with-a-longer-name")
    found, rest = asked(plan)
    assert found.keys() == {("s0000", False), ("s0700", False), ("t-with-a-longer-name", False)}
    assert [len(refs) for refs in rest.values()] == [1998]


def test_a_secret_that_somebody_judges_is_asked_about_for_each_content(plan):
    for number in range(20):
        add(plan, "Secret", f"s{number:02}", data={"k": str(number % 2)})
    found, rest = asked(plan, {"Secret"})
    assert [len(refs) for refs in found.values()] == [10, 10]
    assert rest == {}


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": {"annotations": {"a": "x" * 210_000}}},
        {"metadata": {"labels": {"a": "x" * 64}}},
        {"data": {"k": "x" * 950_000}},
        {"source": "other"},
    ],
)
def test_what_is_near_a_limit_is_asked_about_in_any_case(plan, more):
    for number in range(20):
        add(plan, "ConfigMap", f"a{number:02}", data={"k": "x" * 1_000_000} if number == 3 else {})
    name = "b" * 60 if "source" in more else "b"
    add(plan, "ConfigMap", name, **more)
    add(plan, "ConfigMap", "c" * 70)
    assert (name, False) in asked(plan)[0]


def test_workloads_with_the_same_template_are_asked_about_once_and_so_are_their_pods(plan):
    spec = {"containers": [{"name": "a", "image": "a"}]}
    for number in range(10):
        template = {"metadata": {"labels": {"app": f"w{number}"}}, "spec": spec}
        selector = {"matchLabels": {"app": f"w{number}"}}
        add(plan, "Deployment", f"w{number}", "apps/v1", spec={"selector": selector, "template": template})
    other = {"spec": {"containers": [{"name": "a", "image": "b"}]}}
    add(plan, "Deployment", "x", "apps/v1", spec={"template": other})
    assert {key: len(refs) for key, refs in asked(plan)[0].items()} == {
        ("w0", False): 10,
        ("w0", True): 10,
        ("x", False): 1,
        ("x", True): 1,
    }
    assert len(asked(plan, {"Pod"})[0]) == 2 + 11  # a policy may look at the labels of pods


def test_the_pods_of_what_was_not_ready_are_not_asked_about(plan):
    add(plan, "Deployment", "w", "apps/v1", spec={"template": {"spec": {"containers": []}}})
    (item,) = plan.items.values()
    item.not_ready = "0 of 1 replicas are ready"
    assert asked(plan)[0].keys() == {("w", False)}
