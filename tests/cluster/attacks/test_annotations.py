"""Whoever may annotate objects of one namespace reads another with the rights of who restores, or stops the work."""

import json

import pytest
import yaml
from tests.support.bench import A, B
from tests.support.objects import config_map

from kubeferry.flows.migrate import migrate
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.options_migration import MigrateOptions
from kubeferry.tasks.plan.offline import planned_restore

MUTATION = "config.kubernetes.io/apply-time-mutation"
PASSWORD = "marked-password"


def noted(name, **notes):
    """Return a ConfigMap with annotations, as a tenant writes it."""
    meta = {"name": name, "annotations": notes}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "${x}"}})


def reading(namespace, path="$.data.password", kind="ConfigMap", name="theirs"):
    """Return the annotation that reads a field of an object."""
    source = {"kind": kind, "namespace": namespace, "name": name}
    return json.dumps([{"sourceRef": source, "sourcePath": path, "targetPath": "$.data.a", "token": "${x}"}])


def mutating(named, namespace, **more):
    return noted(named, **{MUTATION: reading(namespace, **more)})


@pytest.fixture(scope="module")
def bank(bench):
    """A namespace of somebody else, on both clusters, that is not backed up."""
    made = bench.namespace("bank")
    bench.namespace_named(made, B)
    for context in (A, B):
        bench.make(config_map("theirs", {"password": PASSWORD}), made, context)
    return made


def restored(bench, saved, ns, **options):
    """Restore a backup under another name; return the result, and the ConfigMap `mine`."""
    copy = bench.name("copy")
    result = bench.restore(saved, map={ns: copy}, **options)
    return result, bench.get("ConfigMap", copy, "mine", B)["data"]["a"]


def test_the_password_of_another_namespace_is_not_read(bench, bank):
    ns = bench.namespace("tenant")
    bench.make(mutating("mine", bank), ns)
    saved = bench.backup(ns)
    result, value = restored(bench, saved, ns)
    assert value == "${x}"
    assert result.phase == "Partial"
    (problem,) = result.problems
    assert f"--allow-source ConfigMap/{bank}/theirs" in problem.why
    assert PASSWORD not in result.model_dump_json()


def test_the_plan_says_so_before_anything_is_written(bench, bank, kubeferry):
    ns = bench.namespace("tenant")
    bench.make(mutating("mine", bank), ns)
    saved = bench.backup(ns)
    code, out, err = kubeferry("plan", saved.name, "--store", bench.where["store"])
    assert code == 0, err
    assert "Not done as asked" in out
    assert f"reads ConfigMap {bank}/theirs" in " ".join(out.split())


def test_the_operator_may_allow_one_object_by_name(bench, bank):
    ns = bench.namespace("tenant")
    bench.make(mutating("mine", bank), ns)
    saved = bench.backup(ns)
    for other in (f"Secret/{bank}/theirs", f"ConfigMap/{bank}/other", f"ConfigMap/{ns}/theirs"):
        assert restored(bench, saved, ns, allow_sources=[other])[1] == "${x}"
    result, value = restored(bench, saved, ns, allow_sources=[f"ConfigMap/{bank}/theirs"])
    assert (result.phase, value) == ("Completed", PASSWORD)


def test_what_is_restored_with_it_may_be_read(bench):
    ns, other = bench.namespace("tenant"), bench.namespace("other")
    bench.make(config_map("theirs", {"password": "shared"}), other)
    bench.make(mutating("mine", other), ns)
    saved = bench.backup(ns, other)
    copy = bench.name("copy")
    result = bench.restore(saved, map={ns: copy, other: bench.name("copy")})
    assert (result.phase, bench.get("ConfigMap", copy, "mine", B)["data"]["a"]) == ("Completed", "shared")


def test_a_secret_of_another_namespace_is_not_even_read_when_it_is_restored_too(bench):
    ns, other = bench.namespace("tenant"), bench.namespace("other")
    bench.make(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs"},
                           "stringData": {"password": PASSWORD}}), other)  # fmt: skip
    bench.make(mutating("mine", other, kind="Secret"), ns)
    saved = bench.backup(ns, other)
    assert saved.phase == "Partial"
    copy = bench.name("copy")
    bench.restore(saved, map={ns: copy, other: bench.name("copy")})
    assert bench.get("ConfigMap", copy, "mine", B)["data"]["a"] == "${x}"


def test_an_object_without_namespace_is_not_read_for_a_tenant(bench):
    """Of a Namespace, only what its own tenant can read as well: not the annotations of another one."""
    ns, other = bench.namespace("tenant"), bench.namespace("other", B)
    bench.make(mutating("mine", "", kind="Namespace", name=other, path="$.metadata.uid"), ns)
    result, value = restored(bench, bench.backup(ns), ns)
    assert (result.phase, value) == ("Partial", "${x}")


BAD = {
    "no order": {"kubeferry.io/depends-on": "web"},
    "no level": {"kubeferry.io/level": "first"},
    "no category": {"kubeferry.io/category": "any"},
    "of cli-utils": {"config.kubernetes.io/depends-on": "web"},
    "no yaml": {MUTATION: "{"},
    "nothing there": {MUTATION: reading("", name="nothing")},
    "no such field": {MUTATION: reading("", name="kube-root-ca.crt", path="$.data.nothing")},
    "its own": {MUTATION: reading("", name="mine-7", path="$.metadata.uid")},
}


def test_bad_annotations_of_one_tenant_stop_nobody(bench):
    """Each is reported and ignored; the objects of all come."""
    ns, other = bench.namespace("tenant"), bench.namespace("other")
    for number, notes in enumerate(BAD.values()):
        bench.make(noted("mine" if not number else f"mine-{number}", **notes), ns)
    bench.make(config_map("settings", {"a": "b"}), other)
    saved = bench.backup(ns, other)
    copy, beside = bench.name("copy"), bench.name("copy")
    result = bench.restore(saved, map={ns: copy, other: beside}, wait_seconds=5)
    assert result.phase == "Partial"
    assert bench.get("ConfigMap", beside, "settings", B)["data"] == {"a": "b"}
    assert {each["data"]["a"] for each in bench.list("ConfigMap", copy, B) if "a" in each["data"]} == {"${x}"}
    told = json.dumps([each.model_dump() for each in (*saved.problems, *result.problems)])
    assert [number for number in range(len(BAD)) if f"mine-{number}" not in told and number] == []


def test_an_annotation_that_can_never_be_met_stops_nobody(bench):
    """Two ConfigMaps that cannot be changed ask for each other's uid."""
    ns, other = bench.namespace("tenant"), bench.namespace("other")
    for name, beside in (("one", "two"), ("two", "one")):
        obj = json.loads(mutating(name, "", name=beside, path="$.metadata.uid"))
        bench.make(json.dumps(obj | {"immutable": True}), ns)
    bench.make(config_map("settings", {"a": "b"}), other)
    saved, beside = bench.backup(ns, other), bench.name("copy")
    result = bench.restore(saved, map={ns: bench.name("copy"), other: beside}, wait_seconds=20)
    assert bench.get("ConfigMap", beside, "settings", B)["data"] == {"a": "b"}
    assert [each.why for each in result.problems if "is ignored" in each.why]


def test_a_migration_goes_on_with_the_other_namespaces(bench):
    ns, other = bench.namespace("tenant"), bench.namespace("other")
    bench.make(noted("mine", **BAD["no order"]), ns)
    bench.make(config_map("settings", {"a": "b"}), other)
    names = {ns: bench.name("copy"), other: bench.name("copy")}
    asked = MigrateOptions(
        namespaces=[ns, other], map=names, from_context=A, to_context=B, name=bench.name("m"), **bench.where
    )
    result = bench.run_flow(migrate(asked))
    assert {each.phase for each in result.namespaces} <= {"Completed", "Partial"}
    assert bench.find("ConfigMap", names[ns], "mine", B)


def test_a_key_that_no_archive_can_hold_as_a_place_stops_nobody(bench):
    """A custom resource may have keys of any length, and a restore refuses a binding with a longer place."""
    group, ns = bench.crd(bench.name("w")), bench.namespace("tenant")
    service = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}'
    (made,) = bench.make(service, ns)
    long = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "long"}}
    bench.make(yaml.safe_dump(long | {"spec": {"k" * 120_000: f"http://{made['spec']['clusterIP']}"}}), ns)
    saved = bench.backup(ns)
    assert saved.phase == "Partial"
    with planned_restore(RestoreOptions(backup=saved.name, **bench.where)) as (_, plan):
        assert [ref.name for ref in plan.items if ref.kind == "Widget"] == ["long"]
