"""The real Velero and Kubeferry on one bucket: each restores what the other saved, and neither disturbs the other.

One file, since it is one story: tests are spread over processes by file, and each would run it again.
"""

import io
import json
import tarfile

import orjson
import pytest
from tests.support.bench import A, B
from tests.velero.story import EXPIRED, HALF, KIOSK_COPY, OURS, SEALED, SEALED_EXPIRED, SHOP, THEIRS, unready, until

from kubeferry.flows.undo import undo
from kubeferry.tasks.core.compare.restored import WHOLE
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.objects import Ref, owners_of
from kubeferry.tasks.core.models.options import UndoOptions

pytestmark = pytest.mark.soak(minutes=0.2, setup=13)

# --- Velero restores what Kubeferry saved: beside the original, and under its own name on another cluster


@pytest.fixture(params=["velero-beside", "velero-across"])
def by_velero(request, story):
    return story.copies[request.param]


@pytest.mark.parametrize("context", [A, B])
def test_velero_offers_ours_as_its_own(story, context):
    """Nobody announced it: it found the backup in the bucket, with phase, time and counts."""
    found = story.offered(context)[OURS]
    saved = story.saved[OURS]
    assert saved.phase == Phase.COMPLETED
    assert found["status"]["phase"] == "Completed"
    assert found["status"]["progress"] == {"itemsBackedUp": saved.objects, "totalItems": saved.objects}
    assert found["status"]["startTimestamp"] == f"{saved.started:%Y-%m-%dT%H:%M:%SZ}"
    assert found["spec"]["includedNamespaces"] == [SHOP]
    assert found["spec"]["storageLocation"] == "default"


def test_velero_describes_ours_and_reads_its_log(story):
    """Its commands download our optional files by the names that they have in Velero's layout."""
    described = story.run(A, "backup", "describe", OURS, "--details", "--colorized=false")
    assert "Phase:  Completed" in described
    assert "apps/v1/Deployment:" in described
    assert f"- {SHOP}/api" in described
    assert "<error" not in described, "a file that it cannot get or read is shown so"
    assert "has finished (Complete)" in story.run(A, "backup", "logs", OURS)


def test_veleros_restore_is_complete(by_velero):
    status = by_velero.result["status"]
    assert (status["phase"], status.get("errors", 0)) == ("Completed", 0)
    assert status["progress"]["itemsRestored"] == status["progress"]["totalItems"] > 60


def test_everything_is_ready_where_velero_restored_it(by_velero):
    assert unready(by_velero.live) == {}


VELEROS_LABELS = {"velero.io/backup-name", "velero.io/restore-name"}

JOB_LABELS = {"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"}
"""Kubernetes wrote them of the old Job; neither tool takes them over, and the new Job has its own in its template."""

OWNED = {
    "ConfigMap shop/order-1001-receipt",
    "ConfigMap shop/spring-prices",
    "Order.shop.example.com shop/order-1001",
    "Secret shop/spring-feed",
}


def test_only_labels_and_owners_differ(by_velero):
    """Velero labels what it restores, and restores no owner of anything: all else is as Kubeferry would have it."""
    known = {f'metadata.labels["{name}"]' for name in VELEROS_LABELS}
    found = {(str(each.ref), each.field) for each in by_velero.unexplained() if each.field not in known}
    dotted = {f'metadata.labels["{name}"]' if "." in name else f"metadata.labels.{name}" for name in JOB_LABELS}
    jobs = {("Job.batch shop/reindex", field) for field in dotted}
    owners = {(name, "metadata.ownerReferences") for name in OWNED}
    around = {
        (f"{kind}.rbac.authorization.k8s.io shop:price-reader", WHOLE) for kind in ("ClusterRole", "ClusterRoleBinding")
    }
    assert found == jobs | owners | (around if by_velero.live.namespace != SHOP else set())
    assert len({each.ref for each in by_velero.findings}) > 60, "the comparison has seen the whole shop"


def test_beside_the_original_velero_rewrites_no_reference_but_subjects(story):
    """What the README says to those who rename: DNS names, selectors, addresses and cluster-wide rights stay behind."""
    beside = story.copies["velero-beside"]
    assert ".shop.svc" in beside.restored("ConfigMap", "web.settings.v1").get("data")["API_URL"]
    assert beside.restored("ConfigMap", "addresses")["data"] == story.addresses
    policy = beside.restored("NetworkPolicy", "allow-own-namespace", "networking.k8s.io")["spec"]
    selector = policy["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": SHOP}
    subjects = beside.restored("RoleBinding", "system:shop:reader", "rbac.authorization.k8s.io")["subjects"]
    assert subjects[0]["namespace"] == "shop-velero"


def test_elsewhere_velero_leaves_addresses_as_they_were(story):
    across = story.copies["velero-across"]
    assert across.restored("ConfigMap", "addresses")["data"] == story.addresses
    assert across.restored("Service", "api")["spec"]["clusterIP"] not in story.addresses["api"]


def test_velero_gives_a_fixed_node_port_again(story):
    """It knows fixed ones by managedFields only, which our archive has not. 30080 is in the band for fixed ones."""
    port = story.copies["velero-across"].restored("Service", "web-public")["spec"]["ports"][0]["nodePort"]
    assert (
        port != story.original.objects[Ref("", "Service", SHOP, "web-public")]["spec"]["ports"][0]["nodePort"] == 30080
    )
    again = story.copies["ferry-across"].restored("Service", "web-public")["spec"]["ports"][0]["nodePort"]
    assert again == 30080, "Velero's archive has them"


# --- Kubeferry restores what Velero saved: likewise


@pytest.fixture(params=["ferry-beside", "ferry-across"])
def by_kubeferry(request, story):
    return story.copies[request.param]


@pytest.fixture(scope="module")
def archived(story):
    """What Velero left in: the objects of its archive by path."""
    data = story.store.get(BackupKeys(THEIRS).tarball)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {each.name: tar.extractfile(each).read() for each in tar if each.isfile()}
    return {path: orjson.loads(data) for path, data in files.items() if path.endswith(".json")}


def test_velero_saved_live_objects(archived):
    """Else this file would prove nothing: what has to be stripped before a restore is in there."""
    web = archived[f"resources/deployments.apps/namespaces/{SHOP}/web.json"]
    assert {"uid", "resourceVersion", "managedFields"} <= web["metadata"].keys()
    assert web["status"]["readyReplicas"] > 0
    assert archived[f"resources/services/namespaces/{SHOP}/api.json"]["spec"]["clusterIP"]
    assert any("/persistentvolumes/" in path for path in archived)
    assert any("/pods/" in path for path in archived)
    owned = archived[f"resources/secrets/namespaces/{SHOP}/spring-feed.json"]
    assert owned["metadata"]["ownerReferences"][0]["uid"]


def test_our_restore_is_complete(by_kubeferry):
    result = by_kubeferry.result
    assert (result.phase, result.problems, result.not_ready) == ("Completed", [], [])


def test_everything_is_ready_where_we_restored_it(by_kubeferry):
    assert unready(by_kubeferry.live) == {}


def test_no_field_differs_without_a_reason(by_kubeferry):
    assert [f"{each.ref}: {each.text}" for each in by_kubeferry.findings if each.why is None] == []
    assert len({each.ref for each in by_kubeferry.findings}) > 60, "the comparison has seen the whole shop"


def test_no_old_uid_is_left(by_kubeferry, archived):
    """The garbage collector deletes what names an owner that is not there."""
    old = {obj["metadata"]["uid"] for obj in archived.values()}
    restored = orjson.dumps([obj for ref, obj in by_kubeferry.live.objects.items() if ref.namespace]).decode()
    assert len(old) > 80
    assert [uid for uid in old if uid in restored] == []


def test_owned_objects_have_the_new_owner(story, by_kubeferry):
    for ref in (Ref("", "Secret", SHOP, "spring-feed"), Ref("shop.example.com", "Order", SHOP, "order-1001")):
        (old,) = owners_of(story.original.objects[ref])
        (new,) = owners_of(by_kubeferry.restored(ref.kind, ref.name, ref.group))
        catalog = by_kubeferry.restored("Catalog", "spring.2026", "shop.example.com")
        assert new == old | {"uid": catalog["metadata"]["uid"]}


def test_what_controllers_make_is_left_to_them(by_kubeferry):
    why = {each.type: each.why for each in by_kubeferry.result.left_out}
    assert why["PersistentVolume"] == "provisioned dynamically: its claim gets a new volume"
    assert why["ReplicaSet.apps"].startswith("left to its controller, Deployment")
    assert why["Pod"].startswith("left to its controller")
    assert {"EndpointSlice.discovery.k8s.io", "Endpoints", "ControllerRevision.apps"} <= why.keys()


@pytest.mark.parametrize(
    ("name", "context", "namespace"), [("ferry-beside", A, "shop-ferry"), ("ferry-across", B, SHOP)]
)
def test_an_address_in_its_data_is_the_new_one(story, name, context, namespace):
    """Nobody noted at backup where it is used: the archive shows it, since its objects are as they were live."""
    copy = story.copies[name]
    assert (copy.live.cluster, copy.live.namespace) == (context, namespace)
    api = copy.restored("Service", "api")["spec"]["clusterIP"]
    pod = copy.restored("Pod", "toolbox")["status"]["podIP"]
    data = copy.restored("ConfigMap", "addresses")["data"]
    assert (data["api"], data["trusted"]) == (f"http://{api}:8080/v1", f"{pod}/32,192.0.2.0/24")
    assert api != story.original.objects[Ref("", "Service", SHOP, "api")]["spec"]["clusterIP"]
    part = copy.restored("EndpointSlice", "shell-by-hand", "discovery.k8s.io")
    assert part["endpoints"][0]["addresses"] == [pod]


def test_what_velero_does_not_save_is_reported_before_anything_is_written(story):
    """A class of Ingresses is no part of a namespace's backup by Velero; ours has it."""
    assert story.refused.endswith(
        "IngressClass.networking.k8s.io shop-edge is not there; Ingress.networking.k8s.io shop/shop names it"
    )
    listed = story.saved["ours"].counts
    assert listed["IngressClass.networking.k8s.io"] == 1


# --- what Velero makes of ours


@pytest.mark.parametrize("context", [A, B])
def test_our_files_leave_the_location_available(story, context):
    """Files of ours are in `backups/NAME/` and in `restores/NAME/`, and Velero has looked at all of it."""
    files = [each.key for each in story.store.list("")]
    assert f"backups/{OURS}/kubeferry-manifest.json.gz" in files
    assert f"restores/{story.restored.name}/kubeferry-restore.json" in files
    assert any(key.startswith(f"restores/{story.updated.name}/kubeferry-former/") for key in files)
    status = story.location(context)
    assert (status["phase"], status.get("message", "")) == ("Available", "")
    assert status["lastSyncedTime"]


@pytest.mark.parametrize("context", [A, B])
def test_an_encrypted_one_and_one_half_written_are_not_offered_and_disturb_nothing(story, context):
    files = [each.key for each in story.store.list("backups/")]
    assert f"backups/{SEALED}/velero-backup.json" in files
    assert [key for key in files if f"/{HALF}/" in key] == [BackupKeys(HALF).reservation]
    assert story.offered(context).keys() == {OURS, THEIRS}
    assert story.errors(context) == []


@pytest.mark.parametrize("name", [EXPIRED, SEALED_EXPIRED])
def test_velero_collects_ours_that_have_expired(story, name):
    """All of the folder, our own files among it; an encrypted one is taken in for that alone."""
    assert until(lambda: not list(story.store.list(f"backups/{name}/")))
    assert name not in story.offered(A)


def test_our_restores_outlive_that_and_can_be_undone(story):
    """Velero reads none of our `restores/NAME/`: it deletes such a folder only with a Restore object of that name."""
    code, out, err = story.kubeferry("list", "--restores", "-o", "json")
    assert code == 0, err
    names = [each["name"] for each in json.loads(out)]
    assert {story.restored.name, story.updated.name} <= set(names)
    assert not {"velero-beside", "velero-across"} & set(names), "Velero's are its own business"
    options = UndoOptions(restore=story.updated.name, context=A, privileged=True, **story.where)
    assert story.run_flow(undo(options)).phase == Phase.COMPLETED
    cluster = story.clusters[A]
    sign = cluster.get(cluster.discover().by_kind("", "ConfigMap"), KIOSK_COPY, "sign")
    assert sign["data"] == {"open": "no"}, "as it was before that restore"


# --- what our commands make of Velero's


def test_list_shows_both(story):
    code, out, err = story.kubeferry("list", "-o", "json")
    assert code == 0, err
    rows = {each["name"]: each for each in json.loads(out)}
    assert {name: rows[name]["tool"] for name in (OURS, SEALED, THEIRS)} == {
        OURS: "kubeferry",
        SEALED: "kubeferry",
        THEIRS: "velero",
    }
    assert rows[THEIRS]["phase"] == "Completed"
    assert rows[THEIRS]["objects"] == story.offered(A)[THEIRS]["status"]["progress"]["itemsBackedUp"]
    assert rows[THEIRS]["expires"] == story.offered(A)[THEIRS]["status"]["expiration"]


def test_show_prints_veleros(story):
    code, out, err = story.kubeferry("show", THEIRS, "-o", "json")
    assert code == 0, err
    shown = json.loads(out)
    assert (shown["name"], shown["tool"], shown["namespaces"]) == (THEIRS, "velero", [SHOP])


def test_verify_reads_veleros_and_says_that_this_proves_less(story):
    code, out, err = story.kubeferry("verify", THEIRS, "--deep", "-o", "json")
    assert code == 3, err
    shown = json.loads(out)
    assert not shown["proved"]
    assert shown["objects"] == story.offered(A)[THEIRS]["status"]["progress"]["itemsBackedUp"]
    assert shown["levels"] > 5


def test_plan_of_veleros(story):
    code, out, err = story.kubeferry("plan", THEIRS, "-o", "json", "--map", f"{SHOP}=other")
    assert code == 0, err
    assert '"other"' in out
    assert "provisioned dynamically" in out


def test_diff_of_veleros_is_silent_until_something_changes(story):
    code, out, err = story.kubeferry("diff", THEIRS, "--context", A)
    assert code == 0, out + err
    story.change(A, SHOP, "artwork", {"readme": "good evening"})
    code, out, err = story.kubeferry("diff", THEIRS, "--context", A)
    assert code == 1, err
    assert "good evening" in out
    assert "artwork" in out
