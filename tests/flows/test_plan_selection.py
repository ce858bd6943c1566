"""What a selection takes of a backup, shown by `kubeferry plan`: from an archive alone."""

import json

import pytest
import yaml

RBAC = "rbac.authorization.k8s.io"
SHOP = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: app}, imagePullSecrets: [{name: registry}]}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: other}}
---
{apiVersion: v1, kind: Secret, metadata: {name: registry}}
---
{apiVersion: v1, kind: Secret, metadata: {name: db, labels: {app: web}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: tmp-1}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: old, annotations: {note: "see web.shop.svc"}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: tips, annotations: {tier: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}, uid: web-uid}
spec:
  template:
    spec:
      serviceAccountName: app
      priorityClassName: high
      containers: [{name: c, envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: db}}]}]
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  labels: {app: web, rev: "1"}
  annotations: {note: "see old.shop.svc"}
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: web-uid, controller: true}]
spec:
  template:
    spec: {serviceAccountName: app, containers: [{name: c, envFrom: [{configMapRef: {name: old}}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec: {template: {spec: {containers: [{name: c}]}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: app-reads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: app}]
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: shop-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: whole}
subjects: [{kind: Group, name: "system:serviceaccounts:shop"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: whole}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: whole}}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: part, labels: {to: whole}}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 3}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.e.com}
spec:
  group: e.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget, shortNames: [wg]}
  versions: [{name: v1, served: true, storage: true}]
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {service: {namespace: shop, name: converter}}}
---
{apiVersion: v1, kind: Service, metadata: {name: converter}, spec: {selector: {app: converter}}}
---
{apiVersion: e.com/v1, kind: Widget, metadata: {name: one}, spec: {secretRef: {name: tmp-1}}}
"""
BANK = """
{apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {team: bank}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: teller, labels: {app: web}}
spec: {template: {spec: {priorityClassName: low, containers: [{name: c}]}}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: low}, value: 1}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: clerk}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bank-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: part}
subjects: [{kind: ServiceAccount, name: clerk, namespace: bank}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: friends}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: part}
subjects: [{kind: ServiceAccount, name: app, namespace: shop}]
"""
WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "CustomResourceDefinition"}


def objects(text, namespace):
    for obj in yaml.safe_load_all(text):
        if obj["kind"] not in WIDE:
            obj["metadata"]["namespace"] = namespace
        yield obj


@pytest.fixture
def plan(cli, shelf):
    """Plan a restore of the backup `both`: `plan("--include", "secrets")` returns the document."""
    shelf.add("both", [*objects(SHOP, "shop"), *objects(BANK, "bank")], namespaces=["bank", "shop"])

    def made(*arguments):
        code, out, err = cli("plan", "both", "--store", shelf.url, "-o", "json", *arguments)
        assert (code, err) == (0, "")
        return json.loads(out)

    return made


@pytest.fixture
def refused(cli, shelf, plan):  # noqa: ARG001 - it stores the backup
    """Return the error of a plan that is refused as asked wrongly."""

    def line(*arguments):
        code, out, err = cli("plan", "both", "--store", shelf.url, *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    return line


def named(document):
    """Return object → why it is in; without groups, and without the namespace shop."""
    first = [*document["first"]["namespaces"], *document["first"]["definitions"]]
    found = [*first, *(each for level in document["levels"] for each in level["objects"])]
    return {short(each): each["why"] for each in found}


def short(each):
    ns = each["namespace"]
    return f"{each['type'].partition('.')[0]} {ns + '/' if ns not in ('', 'shop') else ''}{each['name']}"


OWN = {"Namespace shop", "Deployment web", "Secret db"}
FROM_ENV = "spec.template.spec.containers[].envFrom[]"
NEEDED = {
    "ServiceAccount app": "needed by Deployment.apps shop/web: spec.template.spec.serviceAccountName",
    "ConfigMap settings": f"needed by Deployment.apps shop/web: {FROM_ENV}.configMapRef.name",
    "PriorityClass high": "needed by Deployment.apps shop/web: spec.template.spec.priorityClassName",
    "Secret registry": "needed by ServiceAccount shop/app: imagePullSecrets[].name",
    "RoleBinding app-reads": "needed by ServiceAccount shop/app: its rights",
    "Role reader": f"needed by RoleBinding.{RBAC} shop/app-reads: roleRef",
    "ClusterRoleBinding shop-admin": "needed by ServiceAccount shop/app: its rights",
    "ClusterRole whole": f"needed by ClusterRoleBinding.{RBAC} shop-admin: roleRef",
    "ClusterRole part": f"needed by ClusterRole.{RBAC} whole: aggregationRule",
    "Namespace shop": "needed by Deployment.apps shop/web: its namespace",
}
"""What the Deployment `web` needs, and why, but for the Secret `db`."""
DB = f"needed by Deployment.apps shop/web: {FROM_ENV}.secretRef.name"
FRIENDS = "needed by ServiceAccount shop/app: its rights"
FROM_BANK = {
    "ClusterRole part": f"needed by RoleBinding.{RBAC} bank/friends: roleRef",
    "RoleBinding bank/friends": FRIENDS,
    "Namespace bank": f"needed by RoleBinding.{RBAC} bank/friends: its namespace",
}
"""Where the other namespace is asked for too, its binding gives rights to the account."""


def test_all_of_it_without_a_word(plan):
    document = plan()
    assert document["selection"] == ""
    assert (document["missing"], document["warnings"]) == ([], [])
    found = named(document)
    assert len(found) == 27
    assert found["Secret db"] == "in namespace shop"
    assert found["ClusterRole part"] == "cluster-scoped, and everything is selected"
    assert found["Namespace shop"] == "a namespace of the backup"
    assert found["CustomResourceDefinition widgets.e.com"] == "needed by Widget.e.com shop/one: its kind"


@pytest.mark.parametrize(
    ("arguments", "why", "more"),
    [
        (
            ["-n", "shop", "-l", "app=web"],
            "selected by label app=web",
            {"Secret db": "selected by label app=web", "Namespace shop": "needed by Secret shop/db: its namespace"},
        ),
        (["-n", "shop", "--include-name", "deploy/web"], "selected by name deploy/web", {"Secret db": DB}),
        (
            ["--include", "deployments", "--include-name", "w*"],
            "selected by kind Deployment, name w*",
            {"Secret db": DB} | FROM_BANK,
        ),
        (
            ["--namespace-selector", "team=shop", "--include-name", "Deployment.apps/we?"],
            "selected by name deployment.apps/we?",
            {"Secret db": DB},
        ),
    ],
)
def test_what_is_selected_brings_what_it_needs_each_with_the_reason(plan, arguments, why, more):
    assert named(plan(*arguments)) == NEEDED | {"Deployment web": why} | more


def test_what_only_points_at_it_is_not_in_and_reported_as_left_out(plan):
    document = plan("--include-name", "secrets/db")
    assert set(named(document)) == {"Secret db", "Namespace shop"}
    gaps = {(gap["type"], gap["name"]): gap["why"] for gap in document["left_out"]}
    assert gaps["Deployment.apps", "web"] == "not selected, and nothing selected needs it"
    assert gaps["CustomResourceDefinition.apiextensions.k8s.io", "widgets.e.com"] == "nothing of its kind is restored"
    assert gaps["Namespace", "bank"] == "not selected, and nothing selected needs it"


def test_by_annotation(plan):
    assert named(plan("--annotation-selector", "tier=web"))["ConfigMap tips"] == "selected by annotation tier=web"


def test_only_takes_nothing_else_but_the_namespace_and_the_definition(plan):
    assert set(named(plan("-n", "shop", "-l", "app=web", "--only"))) == OWN
    assert set(named(plan("--include", "wg", "--only"))) == {
        "Widget one",
        "Namespace shop",
        "CustomResourceDefinition widgets.e.com",
    }


def test_a_definition_brings_the_service_that_converts_it_and_only_with_its_kind(plan):
    found = named(plan("--include-name", "wg/one"))
    assert found["CustomResourceDefinition widgets.e.com"] == "needed by Widget.e.com shop/one: its kind"
    assert found["Service converter"].startswith(
        "needed by CustomResourceDefinition.apiextensions.k8s.io widgets.e.com: "
    )
    assert "Service converter" not in named(plan("--include", "secrets"))


def test_pods_that_name_no_account_run_as_default(plan):
    found = named(plan("--include-name", "deployments/api"))
    assert found["ServiceAccount default"] == "needed by Deployment.apps shop/api: its pods run as this account"
    assert "ClusterRoleBinding shop-admin" in found, "a group of all accounts of the namespace is bound"
    assert "RoleBinding app-reads" not in found, "which is of another account"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--exclude", "secrets"], "its kind is excluded"),
        (["--exclude-name", "secrets/*"], "excluded by name secrets/*"),
    ],
)
def test_what_is_excluded_stays_out_and_who_needs_it_is_reported(plan, arguments, why):
    document = plan(*arguments)
    assert not [each for each in named(document) if each.startswith("Secret")]
    assert named(document)["ConfigMap old"] == "in namespace shop"
    needs = {each["name"]: (each["why"], [user["name"] for user in each["users"]]) for each in document["missing"]}
    assert needs == {"db": (why, ["web"]), "registry": (why, ["app"]), "tmp-1": (why, ["one"])}


def test_exclusion_wins_over_a_need(plan):
    document = plan("--include-name", "deployments/web", "--exclude", "sa", "--exclude-name", "settings")
    assert set(named(document)) == {"Deployment web", "Namespace shop", "PriorityClass high", "Secret db"}
    assert [(each["type"], each["name"], each["because"]) for each in document["missing"]] == [
        ("ConfigMap", "settings", "spec.template.spec.containers[].envFrom[].configMapRef.name"),
        ("ServiceAccount", "app", "spec.template.spec.serviceAccountName"),
    ]
    assert [each["name"] for each in document["target_must_have"]] == []


def test_where_only_the_selection_is_wanted_what_it_lacks_is_not_reported(plan):
    assert plan("--include-name", "deployments/web", "--only", "--exclude", "secrets")["missing"] == []


def test_what_is_cluster_wide_and_excluded_the_target_must_have(plan):
    document = plan("--exclude", "priorityclasses")
    assert {each["name"] for each in document["missing"]} == {"high", "low"}
    assert {each["name"] for each in document["target_must_have"]} == {"high", "low"}


def test_where_definitions_are_excluded_those_that_are_missing_are_reported(plan):
    document = plan("--exclude", "crds")
    assert "Widget one" in named(document)
    (lacking,) = document["missing"]
    assert (lacking["name"], lacking["because"]) == ("widgets.e.com", "its kind")


# --- namespaces


@pytest.mark.parametrize(
    "arguments",
    [["--namespace", "bank"], ["--namespace-selector", "team in (bank)"], ["--exclude-namespace", "sh*"]],
)
def test_of_a_namespace_comes_what_it_has_and_what_is_around_it(plan, arguments):
    document = plan(*arguments)
    assert set(named(document)) == {
        *("Namespace bank", "Deployment bank/teller", "ServiceAccount bank/clerk", "RoleBinding bank/friends"),
        *("PriorityClass low", "ClusterRoleBinding bank-admin", "ClusterRole part"),
    }
    gaps = {(gap["type"].partition(".")[0], gap["name"]): gap["why"] for gap in document["left_out"]}
    assert gaps["Secret", "db"] == gaps["Namespace", "shop"] == "its namespace is excluded"
    assert gaps["PriorityClass", "high"] == gaps["ClusterRoleBinding", "shop-admin"] == NOT_NEEDED
    (lacking,) = document["missing"]
    assert (lacking["type"], lacking["name"], lacking["why"]) == ("ServiceAccount", "app", "its namespace is excluded")
    assert document["namespaces"] == {"bank": "bank"}


NOT_NEEDED = "not selected, and nothing selected needs it"


def test_what_is_cluster_wide_has_to_be_of_the_namespaces_and_meet_the_selector(plan):
    assert set(named(plan("-n", "bank", "--include", "clusterroles"))) == {"ClusterRole part"}
    assert set(named(plan("--include", "clusterroles"))) == {"ClusterRole part", "ClusterRole whole"}
    assert set(named(plan("-n", "bank", "--include", "priorityclasses"))) == {"PriorityClass low"}


def test_a_namespace_is_meant_by_its_old_name_and_restored_under_its_new_one(plan):
    document = plan("-n", "bank", "--map", "bank=vault")
    found = named(document)
    assert {"Namespace vault", "Deployment vault/teller", "ClusterRoleBinding bank-admin-vault"} <= set(found)
    assert "PriorityClass high" not in found
    assert document["namespaces"] == {"bank": "vault"}


def test_namespaces_that_are_left_out_may_become_what_others_are(plan, refused):
    assert "Namespace shop" in named(plan("-n", "bank", "--map", "bank=shop"))
    assert "two namespaces of backup both would both become shop" in refused("--map", "bank=shop")


def test_an_archive_of_veleros_may_hold_what_is_around_others(cli, shelf):
    shelf.add_velero("all", [*objects(SHOP, "shop"), *objects(BANK, "bank")])
    code, out, _ = cli("plan", "all", "--store", shelf.url, "-o", "json", "-n", "bank")
    assert code == 0
    assert not {"PriorityClass high", "ClusterRole whole", "ClusterRoleBinding shop-admin"} & set(
        named(json.loads(out))
    )


# --- controllers


def test_what_a_controller_makes_brings_that_controller_and_not_what_only_it_names(plan):
    document = plan("--namespace", "shop", "-l", "rev=1")
    found = named(document)
    assert found["Deployment web"] == "needed by ReplicaSet.apps shop/web-1: metadata.ownerReferences"
    assert not {"ReplicaSet web-1", "ConfigMap old"} & set(found)
    gaps = {gap["name"]: gap["why"] for gap in document["left_out"]}
    assert gaps["web-1"] == "left to its controller, Deployment web"


def test_it_comes_itself_where_that_controller_does_not(plan):
    found = named(plan("-l", "rev=1", "--only"))
    assert set(found) == {"ReplicaSet web-1", "Namespace shop"}
    document = plan("--namespace", "shop", "-l", "rev=1", "--exclude", "deployments")
    assert {"ReplicaSet web-1", "ConfigMap old"} <= set(named(document))
    assert [each["name"] for each in document["missing"]] == ["web"]
    found = named(plan("-l", "rev=1", "--owned", "keep"))
    assert {"ReplicaSet web-1", "ConfigMap old", "Deployment web"} <= set(found)


POD = """
apiVersion: v1
kind: Pod
metadata:
  name: web-1-x
  labels: {pod: web}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: u, controller: true}]
"""


def test_a_pod_that_is_never_restored_means_what_makes_it(cli, shelf):
    """Only others' archives have such pods: ours leave them out."""
    shelf.add_velero("theirs", [*objects(SHOP, "shop"), *objects(POD, "shop")])
    expected = {"Deployment web": "needed by ReplicaSet.apps shop/web-1: metadata.ownerReferences"}
    code, out, _ = cli("plan", "theirs", "--store", shelf.url, "-o", "json", "-l", "pod=web")
    assert code == 0
    found = named(json.loads(out))
    assert {
        name: why for name, why in found.items() if name.startswith(("Deployment", "Pod", "ReplicaSet"))
    } == expected
    code, _, err = cli("plan", "theirs", "--store", shelf.url, "-l", "pod=web", "--only")
    assert code == 2
    assert "is never backed up: Pod shop/web-1-x: left to its controller, ReplicaSet web-1" in err


# --- rewrites


def test_what_is_left_out_or_left_to_its_controller_is_not_rewritten(plan):
    dns = "namespace renamed: DNS name of a Service or Pod"
    assert plan("--map", "shop=shop2")["summary"]["rewrites"][dns] == 1, "of the ConfigMap, and not of the ReplicaSet"
    assert plan("--map", "shop=shop2", "--owned", "keep")["summary"]["rewrites"][dns] == 2
    assert dns not in plan("--map", "shop=shop2", "--include-name", "secrets/db")["summary"]["rewrites"]
    assert dns not in plan("--map", "shop=shop2", "--exclude-name", "old")["summary"]["rewrites"]


# --- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "shp"], "backup both holds no namespace shp; it holds bank, shop"),
        (["--namespace-selector", "team=x"], "no namespace of backup both matches 'team=x'; it holds bank, shop"),
        (["--exclude-namespace", "*"], "--exclude-namespace leaves nothing of backup both: bank, shop is all"),
        (
            ["-l", "app=wbe"],
            "selected by label app=wbe: of 28 objects 0 match label app=wbe; label app is web there",
        ),
        (["-l", "app=web", "--include", "cm"], "0 meet"),
        (["--include", "secrts"], "backup both holds no kind 'secrts': is it secrets?"),
        (["--include", "pods"], "backup both holds no kind 'pods'"),
        (["--exclude", "secrts"], "backup both holds no kind 'secrts': is it secrets?"),
        (
            ["--include-name", "secrets/regisrty"],
            "nothing is named secrets/regisrty: secrets/regisrty may mean registry",
        ),
        (["--include-name", "db", "--include-name", "web/x/y"], "--include-name 'web/x/y': write NAME or KIND/NAME"),
        (["--include-name", "x-*"], "nothing in backup both is selected by name x-*"),
        (["--exclude", "namespaces"], "use --exclude-namespace"),
        (["--exclude-name", "ns/shop"], "use --exclude-namespace"),
    ],
)
def test_what_selects_nothing_is_refused_with_a_hint(refused, arguments, message):
    if message == "0 meet":
        message = "of 28 objects 4 match label app=web, 3 match kind cm, and none matches all"
    assert message in refused(*arguments)


def test_kinds_that_kubernetes_has_may_be_excluded_though_the_backup_has_none(plan):
    assert len(named(plan("--exclude", "pods", "--exclude", "ep", "--exclude", "ingresses.networking.k8s.io"))) == 27


def test_what_matches_nothing_and_is_no_error_is_reported(plan):
    document = plan(
        "--include-name", "web", "--include-name", "nil-*", "--exclude-name", "gone", "--exclude-namespace", "x"
    )
    assert [each["what"] for each in document["warnings"]] == [
        "--exclude-namespace x",
        "--include-name nil-*",
        "--exclude-name gone",
    ]


# --- how it is shown


def test_the_table_shows_what_is_selected_why_each_object_is_in_and_what_is_missing(cli, shelf, plan):  # noqa: ARG001 - it stores the backup
    code, out, _ = cli(
        "plan", "both", "--store", shelf.url, "-n", "shop", "-l", "app=web", "--exclude", "cm", "--exclude-name", "no"
    )
    assert code == 0
    flat = " ".join(out.split())
    assert "Selected: namespace shop; label app=web; not kind cm; not name no" in flat
    assert "Deployment web in: selected by label app=web after" in flat
    assert "Secret registry in: needed by ServiceAccount shop/app: imagePullSecrets[].name" in flat
    assert "Needed, but excluded ConfigMap settings: its kind is excluded; needed by Deployment web (spec" in flat
    assert "Matches nothing --exclude-name no: nothing has this name" in flat
    assert max(map(len, out.splitlines())) <= 80
    whole = cli("plan", "both", "--store", shelf.url)[1]
    assert " in: " not in whole
    assert "Selected" not in whole


def test_the_page_has_it_too(cli, shelf, plan):  # noqa: ARG001 - it stores the backup
    page = cli("plan", "both", "--store", shelf.url, "--include-name", "deploy/web", "--exclude", "cm", "-o", "html")[1]
    assert "name deploy/web; not kind cm" in page
    assert "its kind is excluded" in page


def test_a_script_of_kubectl_has_only_what_is_selected(cli, shelf, plan):  # noqa: ARG001 - it stores the backup
    script = cli("plan", "both", "--store", shelf.url, "--include-name", "secrets/db", "--kubectl")[1]
    assert '"name":"db"' in script
    assert '"name":"registry"' not in script
