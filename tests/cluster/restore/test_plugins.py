"""What plug-ins and broken cycles ask of an API server is what a real one takes, with CRDs of the real shapes."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from tests.support.limits import until
from tests.support.plugin_namespaces import DATA, loaded, planned

from kubeferry.tasks.core.graph.order import Edge, Strength
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.plan.late_values import Means, deferral, patch, placeholder, without_fields
from kubeferry.tasks.core.transform.strip.portable import strip
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local.plugins import installed

CONTEXT = "kubeferry-b"


@pytest.fixture
def api(sandbox, kubectl):
    """kubectl on the second cluster, in a namespace of the test's own: `api("get", "pods")`."""
    namespace = f"plugins-{uuid4().hex[:6]}"
    kubectl(sandbox, "create", "namespace", namespace, context=CONTEXT)

    def run(*args, text=None):
        return kubectl(sandbox, "-n", namespace, *args, context=CONTEXT, text=text)

    run.namespace = namespace
    yield run
    kubectl(sandbox, "delete", "namespace", namespace, "--wait=false", context=CONTEXT)


@pytest.fixture
def crds(sandbox, kubectl, request):
    path = str(DATA / f"{request.param}-crds.yaml")
    kubectl(sandbox, "apply", "-f", path, context=CONTEXT)
    kubectl(sandbox, "wait", "--for=condition=Established", "-f", path, "--timeout=600s", context=CONTEXT)
    specs = [each["spec"] for each in yaml.safe_load_all(Path(path).read_text()) if each]
    cluster = connect(CONTEXT, str(sandbox.kubeconfig))
    until(lambda: {(each["group"], each["names"]["kind"]) for each in specs} <= cluster.discover().versions.keys())
    cluster.close()
    yield request.param
    kubectl(sandbox, "delete", "-f", path, "--wait=false", context=CONTEXT)


def moved(objects, namespace):
    """Return objects with their references in another namespace, as a restore renames them."""
    for ref, obj in objects.items():
        there = Ref(ref.group, ref.kind, namespace, ref.name)
        yield there, obj | {"metadata": obj["metadata"] | {"namespace": namespace}}


def created(api, obj):
    return json.loads(api("create", "-f", "-", "-o", "json", text=json.dumps(obj)))


def restored(api, objects, book):
    """Create `objects` level by level, paused and with the owners that are there; return them as created, by ref."""
    live, undo = {}, []
    found = planned(objects, book)
    for ref in [ref for level in found.levels for ref in level]:
        obj = book.without_dynamic(strip(objects[ref]))
        paused = book.paused(obj)
        obj = paused.obj if paused else obj
        undo += [(paused.turn, ref, paused.back)] if paused and paused.back else []
        uids = {(each.kind, each.name): made["metadata"]["uid"] for each, made in live.items()}
        owners = [
            owner | {"uid": uids[owner["kind"], owner["name"]]}
            for owner in owners_of(objects[ref])
            if (owner["kind"], owner["name"]) in uids
        ]
        live[ref] = created(api, obj | {"metadata": obj["metadata"] | {"ownerReferences": owners}})
    return live, undo, found


@pytest.mark.parametrize("crds", ["cluster-api"], indirect=True)
@pytest.mark.usefixtures("crds")
def test_a_management_namespace_comes_back_paused_with_its_owners_and_is_resumed(api):
    book = installed()
    objects = dict(moved(loaded("cluster-api"), api.namespace))
    live, undo, _ = restored(api, objects, book)
    uids = {(each.kind, each.name): obj["metadata"]["uid"] for each, obj in live.items()}
    for ref, obj in live.items():
        assert [owner["uid"] for owner in owners_of(obj)] == [
            uids[owner["kind"], owner["name"]] for owner in owners_of(objects[ref])
        ]
        assert "spec" not in objects[ref] or all(
            obj["spec"][key] == value for key, value in objects[ref]["spec"].items()
        )
    cluster = next(ref for ref in live if ref.kind == "Cluster")
    assert live[cluster]["spec"]["paused"] is True
    assert [ref for _, ref, _ in undo] == [cluster]
    api("patch", f"{cluster.kind}.{cluster.group}", cluster.name, "--type=merge", "-p", json.dumps(undo[0][2]))
    resumed = json.loads(api("get", f"{cluster.kind}.{cluster.group}", cluster.name, "-o", "json"))
    assert resumed["spec"] == objects[cluster]["spec"]


@pytest.mark.parametrize("crds", ["cert-manager"], indirect=True)
@pytest.mark.usefixtures("crds")
def test_a_secret_is_there_before_the_certificate_that_owns_it_and_is_relinked(api):
    book = installed()
    objects = {ref: obj for ref, obj in moved(loaded("cert-manager"), api.namespace) if not book.exclusion(obj)}
    live, _, found = restored(api, objects, book)
    (broken,) = found.broken
    assert (broken.source.name, deferral(objects[broken.source], broken).how) == ("web-tls", Means.RELINK)
    owner = {**owners_of(objects[broken.source])[0], "uid": live[broken.target]["metadata"]["uid"]}
    change = json.dumps({"metadata": {"ownerReferences": [owner]}})
    api("patch", "secret", "web-tls", "--type=merge", "-p", change)
    secret = json.loads(api("get", "secret", "web-tls", "-o", "json"))
    assert owners_of(secret) == [owner]
    assert (secret["data"], secret["metadata"]["annotations"]) == (
        objects[broken.source]["data"],
        objects[broken.source]["metadata"]["annotations"],
    )


OLD, NEW = "10.96.0.77", "10.97.0.99"
BOUND = list(yaml.safe_load_all((DATA / "cycle.yaml").read_text()))


@pytest.mark.parametrize("obj", BOUND, ids=lambda obj: obj["kind"])
def test_what_is_created_without_its_value_is_patched_when_it_is_known(api, obj):
    """Each object says in an annotation where it uses the old address, and how that is given up."""
    notes = obj["metadata"].pop("annotations")
    pointer, how = notes.pop("pointer"), Means[notes.pop("how")]
    edge = Edge(Ref.of(obj), Ref("", "Service", api.namespace, "db"), Strength.BINDING, pointer)
    assert deferral(obj, edge).how is how
    if how is Means.LEAVE_OUT:
        first = without_fields(obj, [pointer])
    else:
        first = json.loads(json.dumps(obj).replace(OLD, placeholder(OLD)))
    live = created(api, first)
    assert OLD not in json.dumps(live)
    wanted = json.loads(json.dumps(obj).replace(OLD, NEW))
    operations = json.dumps(patch(live, wanted, [pointer]))
    api("patch", obj["kind"], obj["metadata"]["name"], "--type=json", "-p", operations)
    after = json.loads(api("get", obj["kind"], obj["metadata"]["name"], "-o", "json"))
    assert NEW in json.dumps(after)
    assert placeholder(OLD) not in json.dumps({key: after[key] for key in after if key not in ("metadata", "status")})
