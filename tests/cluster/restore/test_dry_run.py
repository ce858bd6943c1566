"""What only the API server can refuse is asked before: all refusals at once, and nothing is left; or the rest comes."""

import base64
import json

import pytest
import yaml
from tests.support.accounts import account, until_allowed
from tests.support.bench import B

from kubeferry.tasks.core.errors import InvalidError, PreflightError, WebhookError

# Webhooks, policies, definitions and cluster roles are for all who use a cluster.
pytestmark = pytest.mark.exclusive

TEMPLATE = "{metadata: {labels: {app: NAME}}, spec: {serviceAccountName: runner, priorityClassName: NS, HOST, \
containers: [{name: app, image: registry.example.com/IMAGE}]}}"

REFUSED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: host}
spec: {selector: {matchLabels: {app: host}}, template: TEMPLATE(host, hostNetwork: true, app:1)}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: policy}
spec:
  serviceName: policy
  selector: {matchLabels: {app: policy}}
  template: TEMPLATE(policy, enableServiceLinks: true, forbidden:1)
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: 0 3 1 1 *
  jobTemplate: {spec: {template: {spec: {hostPID: true, restartPolicy: Never, containers: [{name: a, image: a}]}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: debugger}
rules:
- {apiGroups: [""], resources: [pods/exec], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: debuggers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: debugger}
subjects: [{kind: ServiceAccount, name: runner}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: guarded}
spec: {minAvailable: 1, selector: {matchLabels: {app: fine}}}
---
apiVersion: GROUP/v1
kind: Widget
metadata: {name: bad}
spec: {size: 9}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: long, annotations: {hosts: "HOSTS"}}
"""
TAKEN = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fine}
spec: {replicas: 2, selector: {matchLabels: {app: fine}}, template: TEMPLATE(fine, enableServiceLinks: true, app:1)}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: runner}]
---
apiVersion: GROUP/v1
kind: Widget
metadata: {name: good}
spec: {size: 1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: password}
stringData: {password: marked-secret-value}
"""
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NS}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations:
  - {expression: "!object.spec.containers.exists(c, c.image.contains('forbidden'))", message: no such image}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NS}
spec:
  policyName: NS
  validationActions: [Deny]
  matchResources:
    namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [NS, PROBE]}]}
"""
WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NS}
webhooks:
- name: guard.NS.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: CALLED
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
  rules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE], resources: [RESOURCE]}]
"""


def written(text, ns, group=""):
    """Return objects of a test, with the templates of their pods, in a namespace."""
    while "TEMPLATE(" in text:
        before, _, rest = text.partition("TEMPLATE(")
        given, _, after = rest.partition(")")
        named, host, image = given.split(", ")
        template = TEMPLATE.replace("NAME", named).replace("HOST", host).replace("IMAGE", image)
        text = before + template + after
    return text.replace("NS", ns).replace("GROUP", group)


def widgets(group, **rules):
    size = {"type": "integer"} | rules
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": size}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    return json.dumps(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
        }
    )


@pytest.fixture(scope="module")
def limited(bench, tmp_path_factory):
    """A kubeconfig of an account of B that may write every type, and has no right beyond that, such as pods/exec."""
    ns = bench.namespace("limited", context=B)
    subject, where = account(bench, ns, tmp_path_factory.mktemp("limited"), B, called=B)
    kinds = sorted({(each.group, each.resource) for each in bench.clusters[B].discover().types})
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    rules = [{"apiGroups": [group], "resources": [resource], "verbs": verbs} for group, resource in kinds]
    rules.append({"apiGroups": [f"{ns}.example.com"], "resources": ["*"], "verbs": verbs})
    rbac = "rbac.authorization.k8s.io"
    meta = {"apiVersion": f"{rbac}/v1", "metadata": {"name": ns}}
    bench.make(json.dumps(meta | {"kind": "ClusterRole", "rules": rules}), context=B)
    ref = {"apiGroup": rbac, "kind": "ClusterRole", "name": ns}
    bench.make(json.dumps(meta | {"kind": "ClusterRoleBinding", "roleRef": ref, "subjects": [subject]}), context=B)
    until_allowed(bench, "delete", "ConfigMap", **where)
    return ns, where["kubeconfig"]


def denied(bench, ns):
    """Return whether the API server asks the policy already."""
    spec = {"containers": [{"name": "a", "image": "forbidden"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": spec}
    try:
        bench.clusters[B].create(bench.kind("Pod", context=B), ns, pod, dry_run=True)
    except InvalidError:
        return True
    return False


@pytest.fixture(scope="module")
def saved(bench, limited):
    """A backup with an object of each kind that B refuses, and others, and the name of its namespace there."""
    group = f"{limited[0]}.example.com"
    ns = bench.namespace("d")
    bench.make(widgets(group))
    rule = {"rule": "self < 5", "message": "too large"}
    bench.make(widgets(group, **{"x-kubernetes-validations": [rule]}), context=B)
    bench.make(f"{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {ns}}}, value: 7}}")
    hosts = f"db.{ns}.svc.cluster.local "
    bench.kind("Widget", f"{group}/v1")
    bench.make(written(TAKEN, ns, group), ns)
    bench.make(written(REFUSED, ns, group).replace("HOSTS", hosts * (262_000 // len(hosts))), ns)
    for kind, name in (("Deployment", "host"), ("Deployment", "fine"), ("StatefulSet", "policy")):
        bench.ready(kind, ns, name)
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}}
    bench.patch("Namespace", "", ns, label)
    made = bench.backup(ns)
    into = bench.name("somewhere-with-a-longer-name")
    bench.make(POLICY.replace("NS", into).replace("PROBE", limited[0]), context=B)
    bench.until(lambda: denied(bench, limited[0]))
    called = "{url: 'https://127.0.0.1:1/'}"
    text = WEBHOOK.replace("NS", into).replace("CALLED", called).replace("RESOURCE", "poddisruptionbudgets")
    bench.make(text, context=B)
    return ns, made, into


WHY = {
    "ConfigMap INTO/long": "metadata.annotations: Too long",
    "CronJob.batch INTO/nightly": 'its pods would be refused: violates PodSecurity "baseline:latest": host namespaces',
    "Deployment.apps INTO/host": 'its pods would be refused: violates PodSecurity "baseline:latest": host namespaces',
    "PodDisruptionBudget.policy INTO/guarded": 'failed calling webhook "guard.INTO.example.com"',
    "Role.rbac.authorization.k8s.io INTO/debugger": "attempting to grant RBAC permissions not currently held",
    "RoleBinding.rbac.authorization.k8s.io INTO/debuggers": '"debugger" not found',
    "StatefulSet.apps INTO/policy": "no such image",
    "Widget.GROUP INTO/bad": "too large",
}


@pytest.mark.parametrize("mode", ["rollback", "stop"])
def test_all_refusals_come_at_once_and_nothing_is_left_not_even_the_namespace(bench, limited, saved, mode):
    ns, made, into = saved
    with pytest.raises(PreflightError) as caught:
        bench.restore(made, kubeconfig=limited[1], map={ns: into}, on_failure=mode, bundle="none")
    wanted = {ref.replace("INTO", into).replace("GROUP", f"{limited[0]}.example.com"): why for ref, why in WHY.items()}
    told = {each.partition(": ")[0]: each for each in caught.value.problems}
    assert told.keys() == wanted.keys()
    assert [ref for ref, why in wanted.items() if why.replace("INTO", into) not in told[ref]] == []
    bench.until(lambda: bench.find("Namespace", "", into, B) is None)
    assert bench.find("PriorityClass", "", ns, B) is None
    assert caught.value.result.taken_back.deleted == 1


def test_with_continue_everything_else_is_there_and_the_refused_are_listed(bench, limited, saved):
    ns, made, into = saved
    result = bench.restore(made, kubeconfig=limited[1], map={ns: into}, on_failure="continue", bundle="none")
    bench.forget("PriorityClass", ns)
    group = f"{limited[0]}.example.com"
    wanted = {ref.replace("INTO", into).replace("GROUP", group) for ref in WHY}
    assert {each.object for each in result.losses if each.code == "refused"} == wanted
    assert result.phase == "Partial"
    widget = f"Widget.{group}"  # other tests have Widgets, too
    for obj in yaml.safe_load_all(TAKEN):
        kind = widget if obj["kind"] == "Widget" else obj["kind"]
        assert bench.find(kind, into, obj["metadata"]["name"], B), obj
    for kind, name in (("Deployment", "host"), ("ConfigMap", "long"), ("Role", "debugger"), (widget, "bad")):
        assert bench.find(kind, into, name, B) is None
    assert bench.ready("Deployment", into, "fine", B)["spec"]["replicas"] == 2
    assert base64.b64decode(bench.get("Secret", into, "password", B)["data"]["password"]) == b"marked-secret-value"


# --- what serves a webhook comes with the restore

CASE_31 = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: guard
spec:
  replicas: 1
  selector: {matchLabels: {app: guard}}
  template:
    metadata: {labels: {app: guard}}
    spec:
      containers:
      - name: guard
        image: registry.example.com/guard:1
---
apiVersion: v1
kind: Service
metadata: {name: guard}
spec: {selector: {app: guard}, ports: [{port: 443, targetPort: 8443}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""
MOUNT = {"volumes": [{"name": "settings", "configMap": {"name": "settings"}}]}


def judged(bench, text):
    """Return a backup of a namespace, and the name of one on B of which a webhook judges the ConfigMaps."""
    ns, into = bench.namespace(), bench.name()
    bench.make(text, ns)
    bench.ready("Deployment", ns, "guard")
    called = f"{{service: {{namespace: {into}, name: guard}}}}"
    bench.make(WEBHOOK.replace("NS", into).replace("CALLED", called).replace("RESOURCE", "configmaps"), context=B)
    return ns, bench.backup(ns), into


def test_case_31_webhook_blocks(bench):
    """Nothing serves it here, so that the ConfigMap is left out when its turn has come: after the Deployment."""
    ns, saved, into = judged(bench, CASE_31)
    # The webhook judges what a controller makes in each namespace, too.
    bench.make(f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {into}}}}}", context=B)
    bench.until(lambda: bench.find("ServiceAccount", into, "default", B))
    result = bench.restore(saved, map={ns: into})
    (lost,) = [each for each in result.losses if each.object == f"ConfigMap {into}/settings"]
    assert (result.phase, lost.code) == ("Partial", "refused")
    assert bench.get("Service", into, "guard", B)
    assert bench.ready("Deployment", into, "guard", B)
    assert bench.find("ConfigMap", into, "settings", B) is None


def test_case_31_webhook_blocks_and_is_to_be_ready(bench):
    ns, saved, into = judged(bench, CASE_31)
    with pytest.raises(WebhookError, match=f"ConfigMap {into}/settings"):
        bench.restore(saved, map={ns: into}, rollback_on_failure=True)
    bench.until(lambda: bench.find("Namespace", "", into, B) is None)


def test_what_serves_a_webhook_and_needs_what_that_judges_is_refused_before(bench):
    (deployment, service, config) = yaml.safe_load_all(CASE_31)
    deployment["spec"]["template"]["spec"] |= MOUNT
    ns, saved, into = judged(bench, yaml.safe_dump_all([deployment, service, config]))
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved, map={ns: into})
    (problem,) = caught.value.problems
    assert problem.startswith(f"ConfigMap {into}/settings: ")
    assert problem.endswith(f"what serves it needs ConfigMap {into}/settings")
    bench.until(lambda: bench.find("Namespace", "", into, B) is None)


# --- namespaces that are there

CASE_23 = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: debugger}
rules:
- {apiGroups: [""], resources: [pods/exec], verbs: [create]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello}
"""


def test_case_23_rbac_escalation(bench, limited):
    ns = bench.namespace()
    bench.make(CASE_23, ns)
    saved, into = bench.backup(ns), bench.namespace(context=B)
    with pytest.raises(PreflightError) as caught:
        bench.restore(saved, kubeconfig=limited[1], map={ns: into}, bundle="none")
    (problem,) = caught.value.problems
    assert problem.startswith(f"Role.rbac.authorization.k8s.io {into}/debugger: ")
    assert "attempting to grant RBAC permissions not currently held" in problem
    assert bench.find("ConfigMap", into, "settings", B) is None
    bench.restore(saved, map={ns: into})  # by somebody who has the right
    again = bench.restore(saved, kubeconfig=limited[1], map={ns: into}, bundle="none")
    assert (again.phase, again.actions.keys()) == ("Completed", {"unchanged"})


FULL = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: full}
spec: {hard: {count/secrets: "0", services: "0", count/deployments.apps: "0"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: small}
spec: {limits: [{type: Container, max: {memory: 1Gi}, default: {memory: 1Gi}}]}
"""
MANY = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: large}
spec:
  schedule: 0 3 1 1 *
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: a, image: a, resources: {requests: {memory: 2Gi}, limits: {memory: 2Gi}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
"""


def test_what_a_full_quota_and_a_limit_of_the_target_refuse_is_left_out_with_continue(bench):
    """Secrets are sampled: as one is refused, all are asked about, and each is listed."""
    ns, into = bench.namespace(), bench.namespace(context=B)
    bench.make(MANY, ns)
    secrets = [f"s{number}" for number in range(8)]
    for each in secrets:
        bench.make(f"{{apiVersion: v1, kind: Secret, metadata: {{name: {each}}}}}", ns)
    bench.make("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}", ns)
    saved = bench.backup(ns)
    bench.make(FULL, into, B)
    bench.ready("ResourceQuota", into, "full", B)
    result = bench.restore(saved, map={ns: into}, on_failure="continue")
    refused = {each.object for each in result.losses if each.code == "refused"}
    assert refused == {
        *(f"Secret {into}/{each}" for each in secrets),
        f"Service {into}/web",
        f"CronJob.batch {into}/large",
    }
    assert bench.find("ConfigMap", into, "settings", B)
    assert result.phase == "Partial"


def test_what_is_there_and_stays_is_not_asked_about_as_if_it_were_created(bench):
    """Its quota is full of the objects themselves."""
    ns, into = bench.namespace(), bench.namespace(context=B)
    bench.make("{apiVersion: v1, kind: Secret, metadata: {name: a}}", ns)
    bench.make("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}", ns)
    saved = bench.backup(ns)
    bench.restore(saved, map={ns: into})
    bench.make(FULL, into, B)
    bench.ready("ResourceQuota", into, "full", B)
    for mode in ("skip", "update", "recreate"):
        result = bench.restore(saved, map={ns: into}, existing=mode)
        assert (result.phase, result.actions.keys()) == ("Completed", {"unchanged"})


def test_what_a_controller_makes_in_a_new_namespace_is_no_refusal_of_an_update(bench):
    """Its account `default` is there before the dry run."""
    ns, into = bench.namespace(), bench.name()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}", ns)
    bench.patch("ServiceAccount", ns, "default", {"metadata": {"annotations": {"team": "a"}}})
    result = bench.restore(bench.backup(ns), map={ns: into}, existing="update")
    assert (result.phase, result.problems) == ("Completed", [])
    assert bench.get("ServiceAccount", into, "default", B)["metadata"]["annotations"] == {"team": "a"}
