"""Backups of a selection hold what is selected and what that needs, and report why and what is missing."""

import json
from pathlib import Path

import pyrage
import pytest
from tests.support.accounts import may_view
from tests.support.bench import A, B, name
from tests.support.objects import api_without_server, cluster_role_for, documents

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.manifest import HIDDEN, Selected
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.kinds import BUILT_IN
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.plan.offline import planned
from kubeferry.tasks.ports.archive.encryption import opener
from kubeferry.tasks.ports.records.backups import open_backup
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive

RBAC = "rbac.authorization.k8s.io"
WIDE = """
{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {ns}-high}}, value: 7}}
---
{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {ns}-low}}, value: 1}}
---
{{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {{name: {ns}-disk}}, provisioner: example.com/none}}
"""
SHOP = """
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: runner}}, imagePullSecrets: [{{name: registry}}]}}
---
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: idle}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: registry}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: db, annotations: {{tier: data}}}}}}
---
{{apiVersion: v1, kind: Secret, metadata: {{name: tmp-1}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{backend: "{ip}:80"}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: notes}}, data: {{a: b}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: runner}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: runner}}
subjects: [{{kind: ServiceAccount, name: runner}}]
---
{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: runner}}, rules: []}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{app: web}}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{run: web}}}}
  template:
    metadata: {{labels: {{run: web, pod: web}}}}
    spec:
      serviceAccountName: runner
      priorityClassName: {ns}-high
      containers:
      - name: c
        image: example.com/c
        envFrom: [{{configMapRef: {{name: settings}}}}, {{secretRef: {{name: db}}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: idle}}
spec:
  replicas: 0
  selector: {{matchLabels: {{run: idle}}}}
  template:
    metadata: {{labels: {{run: idle}}}}
    spec: {{serviceAccountName: idle, priorityClassName: {ns}-low, containers: [{{name: c, image: example.com/c}}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{storageClassName: {ns}-disk, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: owner}}}}
"""
BACKEND = "{apiVersion: v1, kind: Service, metadata: {name: backend}, spec: {selector: {run: w}, ports: [{port: 80}]}}"


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace of two workloads, each with what it needs; tests only read it."""
    ns = bench.namespace("shop")
    group = bench.crd(ns)
    bench.make(documents(WIDE.format(ns=ns), cluster_role_for(ns)))
    (backend,) = bench.make(BACKEND, ns)
    bench.make(SHOP.format(ns=ns, group=group, ip=backend["spec"]["clusterIP"]), ns)
    owner = bench.get("Widget", ns, "owner")
    tie = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "owner", "uid": owner["metadata"]["uid"]}
    meta = json.dumps({"name": "owned", "ownerReferences": [tie]})
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {meta}}}", ns)
    bench.ready("Deployment", ns, "web")
    return ns


@pytest.fixture(scope="module")
def whole(bench, shop):
    """A backup of all of it."""
    return bench.backup(shop)


def stored(bench, result):
    return open_backup(open_store(bench.where["store"]), result.name).manifest


def held(bench, result):
    """Return what a backup holds: `deployments/web`, cluster-wide things too."""
    return {f"{path.split('/')[1].partition('.')[0]}/{Path(path).stem}" for path in stored(bench, result).objects}


def reasons(result):
    return {f"{each.type.partition('.')[0]} {each.name}": each.why for each in result.pulled_in}


WEB = {"deployments/web", "serviceaccounts/runner", "secrets/registry", "secrets/db", "configmaps/settings"}
WEB |= {"services/backend", "rolebindings/runner", "roles/runner"}


def around(ns):
    return {f"namespaces/{ns}", f"priorityclasses/{ns}-high", f"clusterroles/{ns}", f"clusterrolebindings/{ns}"}


# --- what is in, and why


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"selector": "app=web"}, "label app=web"),
        ({"include_name": ["deployments/web"]}, "name deployments/web"),
        ({"include_name": ["deploy/w*"]}, "name deploy/w*"),
        ({"include": ["Deployment.apps"], "include_name": ["w?b"]}, "kind deployment.apps; name w?b"),
        ({"include": ["deployments"], "selector": "app"}, "label app; kind deployments"),
    ],
)
def test_what_is_selected_comes_with_what_it_needs(bench, shop, asked, text):
    result = bench.backup(shop, **asked)
    assert held(bench, result) == WEB | around(shop)
    assert (result.phase, result.problems, result.warnings, result.selection) == (Phase.COMPLETED, [], [], text)


def test_each_object_that_is_pulled_in_has_its_reason_in_the_result_and_in_the_backup(bench, shop):
    result = bench.backup(shop, selector="app=web")
    web = f"Deployment.apps {shop}/web"
    assert reasons(result) == {
        "ServiceAccount runner": f"needed by {web}: spec.template.spec.serviceAccountName",
        "PriorityClass " + f"{shop}-high": f"needed by {web}: spec.template.spec.priorityClassName",
        "ConfigMap settings": f"needed by {web}: spec.template.spec.containers[].envFrom[].configMapRef.name",
        "Secret db": f"needed by {web}: spec.template.spec.containers[].envFrom[].secretRef.name",
        "Secret registry": f"needed by ServiceAccount {shop}/runner: imagePullSecrets[].name",
        "Service backend": f"needed by ConfigMap {shop}/settings: /data/backend",
        "RoleBinding runner": f"needed by ServiceAccount {shop}/runner: its rights",
        "Role runner": f"needed by RoleBinding.{RBAC} {shop}/runner: roleRef",
        f"ClusterRoleBinding {shop}": f"needed by ServiceAccount {shop}/runner: its rights",
        f"ClusterRole {shop}": f"needed by ClusterRoleBinding.{RBAC} {shop}: roleRef",
        f"Namespace {shop}": f"needed by {web}: its namespace",
    }
    manifest = stored(bench, result)
    assert manifest.selection.asked == "label app=web"
    assert manifest.selection.pulled_in == result.pulled_in
    gaps = {(each.type, each.name): each.why for each in result.left_out}
    assert gaps["Secret", "tmp-1"] == "not selected, and nothing selected needs it"
    assert gaps["PriorityClass.scheduling.k8s.io", f"{shop}-low"] == "not selected, and nothing selected needs it"


def test_it_is_enough_for_the_workload_to_run_on_another_cluster(bench, shop):
    result = bench.backup(shop, selector="app=web")
    restored = bench.restore(result)
    for kind, named in (("ClusterRoleBinding", shop), ("ClusterRole", shop), ("PriorityClass", f"{shop}-high")):
        bench.forget(kind, named)
    assert (restored.phase, restored.problems, restored.not_ready, restored.warnings) == (Phase.COMPLETED, [], [], [])
    bench.ready("Deployment", shop, "web", context=B)
    new = bench.get("Service", shop, "backend", context=B)["spec"]["clusterIP"]
    assert bench.get("ConfigMap", shop, "settings", context=B)["data"] == {"backend": f"{new}:80"}
    assert bench.find("Deployment", shop, "idle", context=B) is None


def test_an_owner_and_a_definition_are_needed(bench, shop):
    result = bench.backup(shop, include_name=["configmaps/owned"])
    group = f"{shop}.example.com"
    assert held(bench, result) == {
        *("configmaps/owned", "widgets/owner", f"namespaces/{shop}"),
        f"customresourcedefinitions/widgets.{group}",
    }
    assert reasons(result)["Widget owner"] == f"needed by ConfigMap {shop}/owned: metadata.ownerReferences"
    crd = f"CustomResourceDefinition widgets.{group}"
    assert reasons(result)[crd] == f"needed by Widget.{group} {shop}/owner: its kind"


def test_a_pod_means_what_makes_it(bench, shop):
    result = bench.backup(shop, include=["pods"])
    assert held(bench, result) >= WEB
    assert [each for each in held(bench, result) if each.startswith("pods/")] == []
    (made,) = (each for each in result.pulled_in if each.type == "ReplicaSet.apps")
    assert made.why.startswith(f"needed by Pod {shop}/web-")
    assert reasons(result)["Deployment web"].startswith(f"needed by ReplicaSet.apps {shop}/web-")


def test_who_only_points_at_what_is_selected_is_not_in(bench, shop):
    assert held(bench, bench.backup(shop, annotation_selector="tier=data")) == {"secrets/db", f"namespaces/{shop}"}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"selector": "app=web"}, {"deployments/web"}),
        ({"include_name": ["configmaps/owned"]}, {"configmaps/owned"}),
        ({"include": ["pvc"]}, {"persistentvolumeclaims/data"}),
    ],
)
def test_only_takes_nothing_but_what_is_selected_and_its_namespace(bench, shop, asked, wanted):
    result = bench.backup(shop, only=True, **asked)
    assert held(bench, result) == wanted | {f"namespaces/{shop}"}
    assert (result.phase, result.warnings) == (Phase.COMPLETED, [])
    assert result.selection.endswith("; only that")


def test_only_keeps_the_definition_of_what_is_selected(bench, shop):
    result = bench.backup(shop, include=["widgets"], only=True)
    assert held(bench, result) == {
        *("widgets/owner", f"namespaces/{shop}"),
        f"customresourcedefinitions/widgets.{shop}.example.com",
    }


SELECTIONS = [
    {"selector": "app=web"},
    {"selector": "app!=web", "exclude": ["secrets"]},
    {"include": ["serviceaccounts", "pvc"]},
    {"include_name": ["configmaps/*"], "exclude_name": ["sa/runner", "widgets.NS.example.com/*"]},
    {"annotation_selector": "tier", "only": True},
    {"exclude": ["crd"], "exclude_name": ["idle", "NS-low"]},
    {"include": ["clusterroles", "roles"]},
]


@pytest.mark.parametrize("asked", SELECTIONS)
def test_a_backup_of_a_selection_holds_what_a_restore_takes_of_the_whole(bench, shop, whole, asked):
    """But for what a restore leaves to its controllers, which a backup has."""
    asked = json.loads(json.dumps(asked).replace("NS", shop))
    some = bench.backup(shop, **asked)
    sets = []
    for saved, more in ((some, {}), (whole, asked)):
        with planned(RestoreOptions(backup=saved.name, store=bench.where["store"], owned="keep", **more)) as made:
            sets.append(set(made.parts.items))
    assert sets[0] == sets[1]
    assert len(sets[0]) > 1


def test_kinds_have_the_names_offline_that_the_server_gives_them(bench):
    """A restore's options go by tables, as an archive has no discovery; a backup's by what the server says."""
    served = {(each.group, each.kind): each for each in bench.clusters[A].discover().types}
    own = {key: served[key] for key in BUILT_IN if key in served}
    assert len(own) > 40
    short = {kind: each.names - {each.resource, each.kind.lower()} for kind, each in own.items()}
    assert {key: frozenset(BUILT_IN[key].short_names) for key in own} == short
    assert {key: each.resource for key, each in own.items()} == {key: BUILT_IN[key].plural for key in own}
    assert {key: each.namespaced for key, each in own.items()} == {key: BUILT_IN[key].namespaced for key in own}


# --- more namespaces


def test_needs_are_followed_into_other_namespaces_of_the_backup_and_no_further(bench):
    one, two, three = bench.namespace("one"), bench.namespace("two"), bench.namespace("three")
    group = bench.crd(one, kind="Gadget")
    refs = [{"kind": "Secret", "name": "key", "namespace": ns} for ns in (two, three)]
    gadget = {"apiVersion": f"{group}/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"refs": refs}}
    bench.make(json.dumps(gadget), one)
    for ns in (one, two, three):
        bench.make("{apiVersion: v1, kind: Secret, metadata: {name: key}}", ns)
    result = bench.backup(one, two, include=[f"gadgets.{group}"])
    paths = {path for path in stored(bench, result).objects if "/secrets/" in path}
    assert paths == {f"resources/secrets/namespaces/{two}/key.json"}
    both = bench.backup(one, two, include=["secrets"])
    assert sum("/secrets/" in path for path in stored(bench, both).objects) == 2


def test_a_namespace_of_which_nothing_is_selected_is_not_in_the_backup_and_reported(bench, shop):
    other = bench.namespace("other")
    result = bench.backup(shop, other, include_name=["deployments/web"])
    assert result.namespaces == [shop]
    assert [each.what for each in result.warnings] == [f"Namespace {other}"]
    assert f"namespaces/{other}" not in held(bench, result)
    both = bench.backup(shop, other, exclude=["secrets"])
    assert both.namespaces == sorted([shop, other])


def test_what_is_cluster_wide_can_be_all_that_is_selected(bench, shop):
    result = bench.backup(shop, include=["clusterroles"])
    assert held(bench, result) == {f"clusterroles/{shop}"}
    assert result.pulled_in == []


def test_namespaces_are_excluded_by_name_and_by_pattern(bench):
    one, two = bench.namespace("keep"), bench.namespace("test")
    label = bench.name("team")
    for ns in (one, two):
        bench.patch("Namespace", "", ns, {"metadata": {"labels": {label: "x"}}})
    assert bench.backup(namespace_selector=f"{label}=x", exclude_namespace=["test-*"]).namespaces == [one]
    assert bench.backup(one, two, exclude_namespace=[one]).namespaces == [two]
    with pytest.raises(UsageError, match=rf"^--exclude-namespace leaves nothing .*: {one}, {two} is all"):
        bench.backup(one, two, exclude_namespace=["*"])


# --- what is missing


def test_what_is_excluded_is_missed_by_who_needs_it(bench, shop):
    result = bench.backup(shop, selector="app=web", exclude=["secrets"], exclude_name=["configmaps/sett*"])
    assert held(bench, result) == (WEB | around(shop)) - {
        *("secrets/registry", "secrets/db", "configmaps/settings", "services/backend")
    }
    assert result.phase == Phase.COMPLETED
    web, env = f"needed by Deployment.apps {shop}/web", "spec.template.spec.containers[].envFrom[]"
    assert {each.what: each.why for each in result.warnings} == {
        f"ConfigMap {shop}/settings": f"excluded by name configmaps/sett*; {web}: {env}.configMapRef.name",
        f"Secret {shop}/db": f"its kind is excluded; {web}: {env}.secretRef.name",
        f"Secret {shop}/registry": "its kind is excluded; "
        f"needed by ServiceAccount {shop}/runner: imagePullSecrets[].name",
    }
    assert stored(bench, result).selection.warnings == result.warnings


def test_without_a_selection_too(bench, shop):
    result = bench.backup(shop, exclude_name=["secrets/db", "secrets/tmp-*", "secrets/none"])
    assert not {"secrets/db", "secrets/tmp-1"} & held(bench, result)
    assert {"secrets/registry", "deployments/idle", f"priorityclasses/{shop}-low"} <= held(bench, result)
    assert [each.what for each in result.warnings] == [f"Secret {shop}/db", "--exclude-name secrets/none"]
    assert result.pulled_in == []


def test_a_backup_of_everything_reports_nothing_of_selections(bench, whole):
    assert (whole.selection, whole.pulled_in, whole.warnings) == ("", [], [])
    assert stored(bench, whole).selection is None


@pytest.fixture(scope="module")
def viewer(bench, shop):
    """An account that may see the namespace, but not its Secrets nor anything of the cluster."""
    return may_view(bench, shop)


def test_types_of_which_nothing_is_asked_for_need_not_be_readable(bench, shop, viewer):
    result = bench.backup(shop, context=viewer, include_name=["deployments/web"])
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    assert held(bench, result) >= {"deployments/web", "serviceaccounts/runner", "configmaps/settings"}
    warnings = {each.what: each.why for each in result.warnings}
    for what in (f"Secret {shop}/db", f"Secret {shop}/registry", f"PriorityClass.scheduling.k8s.io {shop}-high"):
        assert warnings.pop(what).startswith("it could not be read: list ")
    ((what, why),) = warnings.items()
    assert what.endswith(" types")
    assert why.startswith("not read, so nothing needed of them is in: ")
    assert f"secrets in {shop}" in why
    assert f"rolebindings.{RBAC} in {shop}" in why


def test_types_that_are_asked_for_have_to_be(bench, shop, viewer):
    for asked in ({"selector": "app=web"}, {"include": ["secrets", "deployments"]}, {"include_name": ["web"]}):
        result = bench.backup(shop, context=viewer, **asked)
        assert result.phase == Phase.PARTIAL
        assert f"secrets in {shop}" in [problem.what for problem in result.problems]


def test_a_group_that_does_not_answer_is_no_problem_where_others_are_asked_for(bench):
    ns = bench.namespace("stale", B)
    group = f"{ns}.example.com"
    bench.make(api_without_server(group, ns), context=B)
    bench.until(lambda: f"{group}/v1" in bench.clusters[B].discover().problems)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}", ns, context=B)
    result = bench.backup(ns, context=B, include_name=["cm/one"])
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    assert any(f"{group}/v1" in each.why for each in result.warnings)
    result = bench.backup(ns, context=B, include_name=["one"])
    assert f"{group}/v1" in [each.what for each in result.problems], "one of its objects may be meant"


@pytest.mark.parametrize("asked", [{}, {"selector": "app=x"}])
def test_what_no_archive_may_hold_is_reported_whatever_is_asked_for(bench, asked):
    ns = bench.namespace("odd")
    meta = json.dumps({"name": "odd\\name", "labels": {"app": "x"}})
    bench.make(f"{{apiVersion: {RBAC}/v1, kind: Role, metadata: {meta}, rules: []}}", ns)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: even, labels: {app: x}}}", ns)
    result = bench.backup(ns, **asked)
    assert result.phase == Phase.PARTIAL
    (problem,) = result.problems
    assert problem.what == f"Role.{RBAC} {ns}/odd\\name"
    assert problem.why.startswith("cannot be kept in an archive")
    assert "configmaps/even" in held(bench, result)
    assert not [path for path in stored(bench, result).objects if "odd\\name" in path]


# --- errors


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"selector": "app=wbe"},
            r"nothing in namespace {ns} is .* of \d+ objects 0 match label app=wbe; label app is web there$",
        ),
        ({"selector": "app=web", "include": ["secrets"]}, "and none matches all"),
        ({"include": ["secrts"]}, r"serves no kind 'secrts' that a backup can hold: is it secrets\?"),
        (
            {"include_name": ["deployments/wbe"]},
            r"namespace {ns}: nothing is named deployments/wbe: deployments/wbe may mean web",
        ),
        ({"include_name": ["deployments/x*"]}, "nothing in namespace {ns} is selected by name deployments/x"),
        ({"include_name": ["a/b/c"]}, "write NAME or KIND/NAME"),
        ({"exclude": ["ns"]}, "use --exclude-namespace"),
        (
            {"include_name": ["kube-root-ca.crt"]},
            "is never backed up: ConfigMap {ns}/kube-root-ca.crt: every cluster publishes its own",
        ),
        (
            {"include": ["pods"], "only": True},
            r"is never backed up: Pod {ns}/web-.*: left to its controller, ReplicaSet web-",
        ),
    ],
)
def test_what_selects_nothing_is_refused_with_a_hint_and_stores_nothing(bench, shop, asked, message):
    named = name()
    with pytest.raises(UsageError, match=message.format(ns=shop)):
        bench.backup(shop, name=named, **asked)
    assert list(open_store(bench.where["store"]).list(f"backups/{named}/")) == []


# --- encrypted


def test_without_its_key_an_encrypted_backup_does_not_show_what_was_selected(bench, shop, tmp_path):
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "key").write_text(str(key))
    result = bench.backup(shop, include_name=["secrets/db"], encrypt_to=[str(key.to_public())])
    store = open_store(bench.where["store"])
    closed = open_backup(store, result.name)
    assert closed.manifest.selection == Selected(asked=HIDDEN)
    opened = open_backup(store, result.name, opener([str(tmp_path / "key")]))
    assert opened.manifest.selection.asked == "name secrets/db"
    assert [each.type for each in opened.manifest.selection.pulled_in] == ["Namespace"]
