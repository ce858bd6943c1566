"""The sample shop goes out to the store and comes back, beside itself and on a second cluster, with nothing lost."""

from dataclasses import dataclass
from uuid import uuid4

import orjson
import pytest
from tests.support.bench import mark
from tests.support.sample import remove_later

from kubeferry.deployments.sample.install import install
from kubeferry.deployments.sample.live import Live, read
from kubeferry.deployments.sample.objects import objects
from kubeferry.flows.backup import backup
from kubeferry.flows.demo import left_out
from kubeferry.flows.restore import restore
from kubeferry.tasks.core.compare.restored import WHOLE, findings
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.objects import Ref, controller_of, owners_of
from kubeferry.tasks.core.kube.readiness.evaluate import verdict
from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions
from kubeferry.tasks.core.models.results import BackupResult, RestoreResult
from kubeferry.tasks.ports.cluster.client import Cluster, connect
from kubeferry.tasks.ports.local import clock

BESIDE, ACROSS = "beside", "across"


@dataclass
class Copy:
    """One restore: what was asked, what it answered, the namespace as it is then."""

    options: RestoreOptions
    result: RestoreResult
    cluster: Cluster
    live: Live

    def restored(self, ref):
        """The restored object of a namespaced object of the original."""
        namespace = self.live.namespace if ref.namespace else ""
        return self.live.objects[Ref(ref.group, ref.kind, namespace, ref.name)]


@dataclass
class Trip:
    installed: object
    cluster: Cluster
    namespace: str
    before: Live
    after: Live
    saved: BackupResult
    copies: dict[str, Copy]

    def findings(self, copy):
        names = {self.namespace: copy.live.namespace}
        return findings(
            self.after.objects, copy.live.objects, names, left_out(self.saved, copy.result), copy.result.rewrites
        )


@pytest.fixture(scope="module")
def trip(sandbox_env, run_flow):
    """The shop in a namespace of its own, a backup of it, and two restores of that."""
    where = {"kubeconfig": str(sandbox_env.kubeconfig), "store": sandbox_env.env()["KUBEFERRY_STORE"]}
    namespace = f"trip-{uuid4().hex[:6]}"
    a, b = (connect(name, where["kubeconfig"]) for name in ("kubeferry-a", "kubeferry-b"))
    copy = f"{namespace}-copy"
    try:
        installed = install(a, namespace)
        before = read(a, namespace)
        saved = run_flow(backup(BackupOptions(context=a.name, namespaces=[namespace], **where)))
        asked = {
            BESIDE: RestoreOptions(context=a.name, backup=saved.name, map={namespace: copy}, **where),
            ACROSS: RestoreOptions(context=b.name, backup=saved.name, **where),
        }
        results = {name: run_flow(restore(options)) for name, options in asked.items()}
        copies = {
            BESIDE: Copy(asked[BESIDE], results[BESIDE], a, read(a, copy)),
            ACROSS: Copy(asked[ACROSS], results[ACROSS], b, read(b, namespace)),
        }
        yield Trip(installed, a, namespace, before, read(a, namespace), saved, copies)
    finally:
        made = [(a, copy), (b, namespace), (a, namespace)]
        for each in made:
            remove_later(*each)


@pytest.fixture(params=[BESIDE, ACROSS])
def copy(request, trip):
    return trip.copies[request.param]


def test_all_of_it_is_complete(trip, copy):
    assert trip.saved.phase == copy.result.phase == Phase.COMPLETED
    assert trip.saved.problems == copy.result.problems == []
    assert trip.saved.not_at_revision == {}
    assert copy.result.not_ready == [], "a claim that waits for its first pod is not taken for one that is late"
    assert trip.installed.created + trip.installed.found == len(objects())


def test_no_field_differs_without_a_reason(trip, copy):
    found = trip.findings(copy)
    assert [f"{each.ref}: {each.text}" for each in found if each.why is None] == []
    assert len({each.ref for each in found}) > 60, "the comparison has seen the whole shop"


def test_only_what_had_finished_is_missing(trip, copy):
    """What a controller makes again is not missing; everything else that is not there has to be in this list."""
    lost = {
        each.ref.type: each.why
        for each in trip.findings(copy)
        if each.field == WHOLE and each.ref in trip.after.objects and not each.why.startswith("each side's ")
    }
    assert lost == {
        "Job.batch": "has finished (Complete)",
        "Pod": "left to its controller, Job seed-database",
    }


def test_nothing_is_there_that_was_not_asked_for(trip, copy):
    extra = [each for each in trip.findings(copy) if each.field == WHOLE and each.ref not in trip.after.objects]
    kinds = {each.ref.kind for each in extra}
    # A Deployment in whose template a DNS name was rewritten has a ReplicaSet with another hash in its name.
    assert kinds <= {"Pod", "ReplicaSet", "EndpointSlice", "PersistentVolume"}
    assert all(each.why.startswith("each side's ") for each in extra)


def test_everything_is_ready(copy):
    judged = {ref: verdict(obj, clock.now(), copy.live.context) for ref, obj in copy.live.objects.items()}
    assert {str(ref): each.why for ref, each in judged.items() if each.state != "ready"} == {}


def test_the_original_was_not_touched(trip):
    """Nobody but controllers has written to it, and those only what they count."""
    assert touched(trip.before) == touched(trip.after)


def touched(live):
    """Return the uid of each object of a namespace, and what changes when one is touched."""
    return {ref: (obj["metadata"]["uid"], mark(obj)) for ref, obj in live.objects.items() if ref.namespace}


def test_data_is_the_same_byte_for_byte(trip, copy):
    own = {"kube-root-ca.crt", "api-token"}
    kept = [
        (ref, obj)
        for ref, obj in trip.after.objects.items()
        if ref.kind in ("ConfigMap", "Secret") and ref.name not in own
    ]
    for ref, obj in kept:
        restored = copy.restored(ref)
        assert [restored.get(part) for part in ("type", "immutable")] == [
            obj.get(part) for part in ("type", "immutable")
        ]
        rewritten = {each.path for each in copy.result.rewrites if each.object in (str(ref), str(Ref.of(restored)))}
        for part in ("data", "binaryData"):
            old, new = obj.get(part) or {}, restored.get(part) or {}
            assert old.keys() == new.keys()
            changed = {f"/{part}/{key}" for key in old if old[key] != new[key]}
            assert changed <= {path.partition(" ")[0] for path in rewritten}, str(ref)
    data = orjson.dumps([obj for _, obj in kept])
    assert len(data) > 900_000, "the price list is among them"
    assert sum("binaryData" in obj for _, obj in kept) == 1
    assert "Καλημέρα! こんにちは! 🛒".encode() in data


def test_a_token_is_issued_again_for_the_account(trip, copy):
    ref = Ref("", "Secret", trip.namespace, "api-token")
    old, new = trip.after.objects[ref], copy.restored(ref)
    assert new["data"].keys() == old["data"].keys() == {"token", "ca.crt", "namespace"}
    assert new["data"]["token"] != old["data"]["token"]
    account = copy.restored(Ref("", "ServiceAccount", trip.namespace, "api"))
    assert new["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account["metadata"]["uid"]


def test_owned_objects_have_the_new_owner(trip, copy):
    """The garbage collector deletes what names a uid that is not there: each must be the uid of a restored object."""
    owned = {
        ref: owners_of(obj)
        for ref, obj in trip.after.objects.items()
        if any(owner["apiVersion"].startswith("shop.example.com/") for owner in owners_of(obj))
    }
    assert {ref.name for ref in owned} == {"order-1001", "order-1001-receipt", "spring-prices", "spring-feed"}
    for ref, owners in owned.items():
        expected = [
            owner
            | {
                "uid": copy.restored(Ref("shop.example.com", owner["kind"], trip.namespace, owner["name"]))["metadata"][
                    "uid"
                ]
            }
            for owner in owners
        ]
        assert owners_of(copy.restored(ref)) == expected
        assert expected != owners


def test_the_copys_account_really_has_its_rights(copy):
    account = f"system:serviceaccount:{copy.live.namespace}:api"
    reads_all = {"group": "shop.example.com", "resource": "catalogs", "verb": "list", "namespace": "default"}
    assert may(copy.cluster, account, reads_all)
    reads_own = {"group": "", "resource": "configmaps", "verb": "get", "namespace": copy.live.namespace}
    assert may(copy.cluster, account, reads_own)
    assert may(copy.cluster, f"system:serviceaccount:{copy.live.namespace}:default", reads_own, copy.live.namespace)
    assert not may(copy.cluster, account, reads_own | {"resource": "secrets"})
    assert not may(copy.cluster, "system:serviceaccount:elsewhere:api", reads_all)


def test_the_original_keeps_its_rights_beside_its_copy(trip):
    account = f"system:serviceaccount:{trip.namespace}:api"
    asked = {"group": "shop.example.com", "resource": "catalogs", "verb": "list", "namespace": "default"}
    assert may(trip.cluster, account, asked)
    inside = {"group": "", "resource": "configmaps", "verb": "get", "namespace": trip.copies[BESIDE].live.namespace}
    assert not may(trip.cluster, account, inside), "its Role is for its own namespace"


def may(cluster, user, attributes, groups_of=""):
    """Ask the API server's authorizer (SubjectAccessReview); with `groups_of` a namespace, as one of its accounts."""
    groups = [f"system:serviceaccounts:{groups_of}"] if groups_of else []
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return cluster.request("POST", path, body=orjson.dumps(review)).json()["status"]["allowed"]


def test_claims_are_bound_again_and_one_still_waits_for_its_first_pod(trip, copy):
    claims = {ref.name: copy.restored(ref) for ref in trip.after.objects if ref.kind == "PersistentVolumeClaim"}
    assert {name: obj["status"]["phase"] for name, obj in claims.items()} == {
        "media": "Bound",
        "uploads": "Bound",
        "archive": "Pending",
        "data-db-0": "Bound",
        "data-db-1": "Bound",
    }
    assert claims["archive"]["spec"]["storageClassName"] in copy.live.context.wait_for_first_consumer
    volumes = {obj["spec"].get("volumeName") for obj in claims.values()}
    assert not volumes & {
        obj["spec"].get("volumeName") for obj in trip.after.objects.values() if obj["kind"] == "PersistentVolumeClaim"
    } - {None}


def test_addresses_that_were_written_by_hand_are_included(trip, copy):
    endpoints = Ref("", "Endpoints", trip.namespace, "legacy-billing")
    assert copy.restored(endpoints)["subsets"] == trip.after.objects[endpoints]["subsets"]
    part = Ref("discovery.k8s.io", "EndpointSlice", trip.namespace, "partner-by-hand")
    for field in ("endpoints", "ports", "addressType"):
        assert copy.restored(part)[field] == trip.after.objects[part][field]
    assert controller_of(copy.restored(part)) is None


def test_a_second_restore_over_the_first_touches_nothing(copy, run_flow):
    before = read(copy.cluster, copy.live.namespace)
    again = run_flow(restore(copy.options))
    after = read(copy.cluster, copy.live.namespace)
    assert again.actions == {"unchanged": copy.result.objects}
    assert again.not_ready == []
    assert touched(before) == touched(after)


def test_installing_twice_changes_nothing_and_reports_what_somebody_changed(trip):
    again = install(trip.cluster, trip.namespace)
    assert (again.created, again.found, again.changed) == (0, len(objects()), {})
    kind = trip.cluster.discover().by_kind("", "ConfigMap")
    trip.cluster.patch(kind, trip.namespace, "artwork", {"data": {"readme": "Two pixels."}})
    changed = install(trip.cluster, trip.namespace).changed
    assert {str(ref): fields for ref, fields in changed.items()} == {
        f"ConfigMap {trip.namespace}/artwork": ["data.readme"]
    }
