"""What fields of a namespace's objects name outside of it: carried, or named as not carried; what a restore needs."""

from pathlib import Path

import pytest
from tests.support.api_fields import FILE, facts
from tests.support.bench import A, B, definition

from kubeferry.tasks.core.errors import PreflightError
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive

WIDE = """
apiVersion: {group}/v1
kind: ClusterIssuer
metadata: {{name: {ns}}}
spec: {{accountRef: {{kind: Account, name: {ns}-acme}}}}
---
{{apiVersion: {group}/v1, kind: Account, metadata: {{name: {ns}-acme}}, spec: {{server: x}}}}
---
{{apiVersion: {group}/v1, kind: Account, metadata: {{name: {ns}-other}}}}
---
{{apiVersion: resource.k8s.io/v1, kind: DeviceClass, metadata: {{name: {ns}-gpu}}, spec: {{}}}}
---
{{apiVersion: resource.k8s.io/v1, kind: DeviceClass, metadata: {{name: {ns}-unused}}, spec: {{}}}}
---
{{apiVersion: storage.k8s.io/v1, kind: VolumeAttributesClass, metadata: {{name: {ns}-quick}}, driverName: example.com,
  parameters: {{a: b}}}}
---
{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: {ns}-old}},
  provisioner: volumes.sandbox.kubeferry.io}}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: {ns}}}
spec:
  controller: example.com/none
  parameters: {{apiGroup: {group}, kind: Account, name: {ns}-edge, scope: Cluster}}
---
{{apiVersion: {group}/v1, kind: Account, metadata: {{name: {ns}-edge}}}}
"""
OBJECTS = """
apiVersion: {group}/v1
kind: Certificate
metadata: {{name: web}}
spec: {{issuerRef: {{kind: ClusterIssuer, name: {ns}, group: {group}}}}}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {{name: gpu}}
spec: {{spec: {{devices: {{requests: [{{name: gpu, exactly: {{deviceClassName: {ns}-gpu}}}}]}}}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: quick}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  volumeAttributesClassName: {ns}-quick
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: old-style, annotations: {{volume.beta.kubernetes.io/storage-class: {ns}-old}}}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec: {{ingressClassName: {ns}, defaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}}}
"""


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace of objects that name cluster-scoped ones of kinds that are not read as a whole."""
    ns = bench.namespace("shop")
    group = f"{ns}.example.com"
    for kind, scope in (("ClusterIssuer", "Cluster"), ("Account", "Cluster"), ("Certificate", "Namespaced")):
        bench.make(definition(group, kind).replace("Namespaced", scope))
        bench.until(lambda kind=kind: (group, kind) in bench.clusters[A].discover().versions)
    bench.make(WIDE.format(ns=ns, group=group))
    bench.make(OBJECTS.format(ns=ns, group=group), ns)
    return ns


def held(bench, result):
    """Return what a backup holds of one kind or another, cluster-wide: `deviceclasses/gpu`."""
    objects = open_backup(open_store(bench.where["store"]), result.name).manifest.objects
    wide = [path.split("/") for path in objects if "/cluster/" in path]
    return {f"{each[1].partition('.')[0]}/{Path(each[-1]).stem}" for each in wide}


def carried(ns):
    group = f"{ns}.example.com"
    return {
        *(f"clusterissuers/{ns}", f"accounts/{ns}-acme", f"accounts/{ns}-edge", f"deviceclasses/{ns}-gpu"),
        *(f"volumeattributesclasses/{ns}-quick", f"storageclasses/{ns}-old", f"ingressclasses/{ns}"),
        *(f"customresourcedefinitions/{each}.{group}" for each in ("clusterissuers", "accounts", "certificates")),
        f"namespaces/{ns}",
    }


def test_the_fields_of_the_api_are_those_that_the_table_is_checked_with(bench):
    """After an update of Kubernetes: `python -m tests.support.api_fields`."""
    assert facts(bench.clusters[A]) == FILE.read_text().splitlines()


@pytest.mark.parametrize("asked", [{}, {"include": ["certificates", "resourceclaimtemplates", "pvc", "ingresses"]}])
def test_what_is_named_is_carried_with_its_definition_and_nothing_else_of_its_kind(bench, shop, asked):
    saved = bench.backup(shop, **asked)
    assert held(bench, saved) == carried(shop)
    assert (saved.phase, saved.problems, saved.warnings) == (Phase.COMPLETED, [], [])
    assert not [each for each in saved.losses if each.code == "not-carried"]


def test_only_what_is_selected_needs_it(bench, shop):
    saved = bench.backup(shop, include=["resourceclaimtemplates"])
    assert held(bench, saved) == {f"namespaces/{shop}", f"deviceclasses/{shop}-gpu"}


def test_it_comes_to_another_cluster_before_what_names_it(bench, shop):
    saved = bench.backup(shop)
    restored = bench.restore(saved)
    group = f"{shop}.example.com"
    for kind, named in (("ClusterIssuer", shop), ("Account", f"{shop}-acme"), ("DeviceClass", f"{shop}-gpu")):
        there = bench.get(f"{kind}.{group}" if kind != "DeviceClass" else kind, "", named, context=B)
        assert there["metadata"]["name"] == named
    for plural in ("clusterissuers", "accounts", "certificates"):
        bench.forget("CustomResourceDefinition", f"{plural}.{group}")
    for kind, named in (("DeviceClass", f"{shop}-gpu"), ("VolumeAttributesClass", f"{shop}-quick")):
        bench.forget(kind, named)
    for kind, named in (("StorageClass", f"{shop}-old"), ("IngressClass", shop)):
        bench.forget(kind, named)
    assert (restored.phase, restored.problems) == (Phase.COMPLETED, [])
    bench.ready("PersistentVolumeClaim", shop, "old-style", context=B)


OUTSIDE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: readers}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: scraper, namespace: {other}}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  volumeName: {ns}-disk
  resources: {{requests: {{storage: 1Gi}}}}
"""
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {ns}-disk}}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {{storage: 1Gi}}
  storageClassName: ""
  csi:
    driver: example.com
    volumeHandle: {ns}
    nodeStageSecretRef: {{name: key, namespace: {other}}}
    nodeExpandSecretRef: {{name: grow, namespace: {other}}}
"""


@pytest.fixture(scope="module")
def tied(bench):
    """A backup of a namespace whose objects name those of another one; and the name of that one."""
    ns, other = bench.namespace("tied"), bench.name("vault")
    bench.make(VOLUME.format(ns=ns, other=other))
    bench.make(OUTSIDE.format(ns=ns, other=other), ns)
    bench.forget("PersistentVolume", f"{ns}-disk")
    bench.forget("PersistentVolume", f"{ns}-disk", context=A)
    bench.ready("PersistentVolumeClaim", ns, "data")
    return bench.backup(ns), ns, other


@pytest.mark.parametrize("asked", [{}, {"include": ["pvc", "rolebindings"]}])
def test_what_is_of_another_namespace_is_listed_as_not_carried_with_the_field_that_names_it(bench, tied, asked):
    saved, ns, other = tied
    saved = bench.backup(ns, **asked) if asked else saved
    binding, volume = f"RoleBinding.rbac.authorization.k8s.io {ns}/readers", f"PersistentVolume {ns}-disk"
    why = "is not carried: it is of another namespace;"
    assert [(each.object, each.code, each.why) for each in saved.losses] == [
        (f"Secret {other}/grow", "not-carried", f"{why} {volume} names it (spec.csi.nodeExpandSecretRef.name)"),
        (f"Secret {other}/key", "not-carried", f"{why} {volume} names it (spec.csi.nodeStageSecretRef.name)"),
        (f"ServiceAccount {other}/scraper", "not-carried", f"{why} {binding} names it (subjects[])"),
    ]
    assert saved.phase == Phase.COMPLETED


def test_a_restore_needs_it_where_nothing_works_without_it(bench, tied):
    """No volume is mounted without its Secret; the rights of an account that is not there harm nobody."""
    saved, ns, other = tied
    assert refused(bench, saved) == [f"Secret {other}/key is not there; PersistentVolume {ns}-disk names it"]
    bench.namespace_named(other, context=B)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: key}}", other, context=B)
    assert bench.restore(saved).phase == Phase.COMPLETED


def refused(bench, saved, **options):
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved, **options)
    return caught.value.problems


def test_an_issuer_that_exists_nowhere_is_a_need(bench, shop):
    ns, group = bench.namespace("issued"), f"{shop}.example.com"
    ref = f"{{kind: ClusterIssuer, name: nowhere, group: {group}}}"
    meta = "metadata: {name: web}, spec: {issuerRef: "
    bench.make(f"{{apiVersion: {group}/v1, kind: Certificate, {meta}{ref}}}}}", ns)
    saved = bench.backup(ns)
    assert saved.phase == Phase.COMPLETED
    new = bench.name()
    user = f"Certificate.{group} {new}/web names it"
    assert refused(bench, saved, context=A, map={ns: new}) == [f"ClusterIssuer.{group} nowhere is not there; {user}"]
    assert bench.find("Namespace", "", new) is None


def test_a_gateway_of_another_namespace_is_listed_and_needed(bench, shop):
    """A reference with kind and namespace, as the parents of an HTTPRoute are."""
    ns, other, group = bench.namespace("route"), bench.name("net"), f"{shop}.example.com"
    parent = f"{{group: {group}, kind: Certificate, name: edge, namespace: {other}}}"
    bench.make(
        f"{{apiVersion: {group}/v1, kind: Certificate, metadata: {{name: web}}, spec: {{parentRefs: [{parent}]}}}}", ns
    )
    saved = bench.backup(ns)
    edge, web = f"Certificate.{group} {other}/edge", f"Certificate.{group} {ns}/web"
    assert [(each.object, each.code) for each in saved.losses] == [(edge, "not-carried")]
    assert saved.losses[0].why.endswith(f"{web} names it (spec.parentRefs[])")
    new = bench.name()
    web = f"Certificate.{group} {new}/web"
    assert refused(bench, saved, context=A, map={ns: new}) == [f"{edge} is not there; {web} names it"]


CLAIMS = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: gold}
spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: copy}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  dataSource: {kind: PersistentVolumeClaim, name: gold}
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: lost}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  dataSource: {kind: PersistentVolumeClaim, name: silver}
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: old}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: monday}
  resources: {requests: {storage: 1Gi}}
"""


def test_the_source_of_a_claim_that_is_not_bound_is_a_need(bench):
    """What comes with the backup is no need; a claim of the namespace that is gone is one, and so is a snapshot."""
    ns = bench.namespace("claims")
    bench.make(CLAIMS, ns)
    saved = bench.backup(ns)
    lost = f"VolumeSnapshot.snapshot.storage.k8s.io {ns}/monday: the cluster does not know this kind"
    assert refused(bench, saved, exclude_name=["pvc/gold"]) == [
        f"PersistentVolumeClaim {ns}/gold is not there; PersistentVolumeClaim {ns}/copy names it",
        f"PersistentVolumeClaim {ns}/silver is not there; PersistentVolumeClaim {ns}/lost names it",
        f"{lost}; PersistentVolumeClaim {ns}/old names it",
    ]
    gold = "is not there; PersistentVolumeClaim"
    assert not [each for each in refused(bench, saved) if f"{ns}/gold {gold}" in each]
