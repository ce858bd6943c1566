"""What Helm's order by kind would break: each becomes a hook, and nothing else does."""

import pytest
import yaml
from tests.core.plan.export.test_helm import RELEASE, obj

from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_export import ChartShape, SecretMode
from kubeferry.tasks.core.plan.export.helm.chart import Chart
from kubeferry.tasks.core.plan.export.helm.order import Hook, Turn, misplaced, turns
from kubeferry.tasks.core.plan.export.objects import Exported

THING = obj("Thing", "one", "x.io/v1")
POD = obj("Pod", "alone", spec={"runtimeClassName": "vm"})
VM = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "vm"}, "handler": "vm"}


def wide(kind, name, api_version, **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def webhooks(groups, kind="ValidatingWebhookConfiguration", namespace=RELEASE, **fields):
    rule = {"apiGroups": groups, "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    server = {"service": {"name": "web", "namespace": namespace}}
    hook = {"name": "a.x.io", "clientConfig": server, "rules": [rule], **fields}
    return wide(kind, "w", "admissionregistration.k8s.io/v1", webhooks=[hook])


def definition(group, kind, **conversion):
    spec = {"group": group, "names": {"kind": kind}, **conversion}
    return wide("CustomResourceDefinition", f"things.{group}", "apiextensions.k8s.io/v1", spec=spec)


def found(*objects, edges=()):
    by_ref = {Ref.of(each): each for each in objects}
    needs = {}
    for edge in edges:
        needs.setdefault(edge.source, []).append(edge)
    hooks = turns(by_ref, needs, by_ref.__getitem__, RELEASE)
    return {ref.kind: turn.hook for ref, turn in hooks.items()}


@pytest.mark.parametrize(
    ("config", "is_hook"),
    [
        (webhooks(["x.io"]), True),
        (webhooks(["*"], kind="MutatingWebhookConfiguration"), True),
        (webhooks(["y.io"]), False),
        (webhooks(["x.io"], namespace="elsewhere"), False),
        (webhooks(["x.io"], failurePolicy="Ignore"), False),
    ],
    ids=["its group", "all groups", "another group", "another server", "not needed"],
)
def test_a_webhook_whose_server_comes_with_the_release_is_made_after_what_it_is_called_for(config, is_hook):
    assert found(THING, config) == ({config["kind"]: Hook.AFTER} if is_hook else {})


def test_a_webhook_for_kinds_that_helm_makes_first_is_no_hook():
    assert found(obj("ConfigMap", "a"), webhooks(["*"])) == {}


def test_an_object_whose_definition_names_the_release_is_a_hook_of_the_install():
    converts = {"conversion": {"webhook": {"clientConfig": {"service": {"namespace": RELEASE}}}}}
    assert found(THING, definition("x.io", "Thing", **converts)) == {"Thing": Hook.ONCE}
    assert found(THING, definition("x.io", "Thing")) == {}
    assert found(THING, definition("x.io", "Other", **converts)) == {}


def test_an_object_that_a_server_of_the_release_serves_is_a_hook_of_the_install():
    spec = {"group": "x.io", "service": {"name": "api", "namespace": RELEASE}}
    service = wide("APIService", "v1.x.io", "apiregistration.k8s.io/v1", spec=spec)
    assert found(THING, service) == {"Thing": Hook.ONCE}


def test_what_a_lone_pod_is_refused_without_is_made_before():
    edge = Edge(Ref.of(POD), Ref.of(VM), Strength.REFERENCE, "spec.runtimeClassName")
    assert found(POD, VM, edges=[edge]) == {"RuntimeClass": Hook.BEFORE}


def test_what_helm_makes_first_anyway_is_no_hook():
    account, late = obj("ServiceAccount", "a"), obj("ResourceClaim", "c", "resource.k8s.io/v1")
    edges = [Edge(Ref.of(POD), Ref.of(each), Strength.START, "x") for each in (account, late)]
    assert found(POD, account, late, edges=edges) == {}


def test_an_order_that_a_user_asked_for_and_helm_does_not_keep_is_named():
    web, job = Ref("apps", "Deployment", RELEASE, "web"), Ref("batch", "Job", RELEASE, "migrate")
    asked = Edge(web, job, Strength.EXPLICIT, "kubeferry.io/after", Via.ANNOTATION)
    kept = Edge(job, web, Strength.EXPLICIT, "kubeferry.io/after", Via.ANNOTATION)
    assert [each.source for each in misplaced({web: [asked], job: [kept]}, {})] == [web]
    assert misplaced({web: [asked]}, {web: Turn(Hook.AFTER, "x")}) == []


def written(body, turn, level=3):
    ref = Ref.of(body)
    chart = Chart("shop", RELEASE, [ref], SecretMode.INCLUDE, turns={ref: turn})
    return dict(chart.files(Exported(ref, "02-x/a.yaml", body, level), [])), chart


def test_a_webhook_that_is_a_hook_goes_with_the_release_and_calls_nobody_meanwhile():
    files, chart = written(webhooks(["x.io"]), Turn(Hook.AFTER, "why"))
    made, removed = files["templates/02-x/a.yaml"], files["templates/uninstall/02-x/a.yaml"]
    assert "helm.sh/hook: post-install,post-upgrade,post-rollback\n" in made
    assert "meta.helm.sh/release-name: {{ .Release.Name | toJson }}\n" in made
    left = yaml.safe_load("\n".join(line for line in removed.splitlines() if not line.startswith("{{")))
    assert left["metadata"]["annotations"] == {
        "helm.sh/hook": "pre-delete",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    assert "webhooks" not in left
    assert removed.count("$own") == made.count("$own") == 2
    (row,) = chart.warnings
    assert row.why.endswith(": why")


def test_an_object_without_a_kind_yet_is_a_hook_only_until_the_kind_is_known():
    files, _ = written(THING, Turn(Hook.ONCE, "why"))
    (text,) = files.values()
    lines = text.splitlines()
    at = lines.index('{{- if not (.Capabilities.APIVersions.Has "x.io/v1/Thing") }}')
    assert lines[at + 1].strip() == "helm.sh/hook: post-install"
    assert "    helm.sh/resource-policy: keep" in lines
    assert "    app.kubernetes.io/managed-by: Helm" in lines


def test_a_webhook_waits_for_the_restore_of_the_bundle_with_what_it_is_called_for():
    body = webhooks(["x.io"])
    ref, turn = Ref.of(body), Turn(Hook.AFTER, "why")
    chart = Chart("shop", RELEASE, [ref], SecretMode.INCLUDE, turns={ref: turn}, shape=ChartShape.BUNDLE)
    ((path, text),) = chart.files(Exported(ref, "05-admission/w.yaml", body, 3), [])
    assert path.startswith("templates/")
    assert "helm.sh/hook" not in text
    assert ".Values.enabled" in text or '(index .Values "enabled"' in text
    (row,) = chart.problems
    assert "it would refuse the objects of the bundle" in row.why


def test_only_objects_of_the_namespace_are_held_and_secrets_are_none_of_them():
    secret = obj("Secret", "token", data={"a": "eA=="})
    bound = wide("ClusterRole", "r", "rbac.authorization.k8s.io/v1", rules=[])
    refs = [Ref.of(each) for each in (THING, secret, bound)]
    chart = Chart("shop", RELEASE, refs, SecretMode.INCLUDE, shape=ChartShape.BUNDLE)
    files = [
        path
        for ref, body in zip(refs, (THING, secret, bound), strict=True)
        for path, _ in chart.files(Exported(ref, f"02-x/{ref.kind}.yaml", body, 3), [])
    ]
    assert files == ["objects/02-x/Thing.yaml", "templates/02-x/Secret.yaml", "templates/02-x/ClusterRole.yaml"]
