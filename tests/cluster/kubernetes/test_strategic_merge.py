"""Our strategic merge patch gives what a real API server gives, on the same object and patch, and refuses what it does.

The server is asked twice without a change (`dryRun=All`): once to patch, once to replace by our own result.
"""

import os
import random
from contextlib import suppress
from copy import deepcopy

import orjson
import pytest
import yaml
from tests.support import patch_tags
from tests.support.bench import A

from kubeferry.tasks.core.errors import ConflictError, KubeferryError
from kubeferry.tasks.core.jsondoc.patch import PatchError
from kubeferry.tasks.core.kube.schemas import patch_tags as table
from kubeferry.tasks.core.kube.strategic_merge_patch import strategic_merge

REFUSED = "refused"
OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}, annotations: {a: "1"}, finalizers: [example.com/a, example.com/b]}
spec:
  replicas: 0
  paused: true
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        args: [a, b]
        env: [{name: A, value: "1"}, {name: B, value: "2"}, {name: C, value: "3"}, {name: A, value: again}]
        ports:
        - {name: http, containerPort: 80}
        - {name: dns, containerPort: 53}
        - {name: udp, containerPort: 53, protocol: UDP}
        volumeMounts: [{name: one, mountPath: /one}, {name: two, mountPath: /two}]
      - {name: side, image: "side:1"}
      - {name: last, image: "last:1"}
      volumes: [{name: one, emptyDir: {}}, {name: two, configMap: {name: c, items: [{key: k, path: p}]}}]
      imagePullSecrets: [{name: x}, {name: y}]
      tolerations: [{key: a, operator: Exists}, {key: b, operator: Exists}]
      hostAliases: [{ip: 10.0.0.1, hostnames: [h]}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
secrets: [{name: a}, {name: b}]
imagePullSecrets: [{name: a}, {name: b}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {maxUnavailable: 1, selector: {matchLabels: {a: "1", b: "2"}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {a: b}, ports: [{name: one, port: 1, targetPort: 1}, {name: two, port: 2, targetPort: 2}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web}
addressType: IPv4
ports: [{name: one, port: 1}, {name: two, port: 2}]
endpoints: [{addresses: [10.1.1.1]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{host: a.example.com}, {host: b.example.com}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: web}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}, {name: b, image: b}]}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAME}
webhooks:
- &hook
  name: a.example.com
  clientConfig: {url: "https://127.0.0.1:1/"}
  rules: [{apiGroups: [none.example.com], apiVersions: [v1], resources: [none], operations: [CREATE]}]
  matchConditions: [{name: one, expression: "true"}, {name: two, expression: "true"}]
  sideEffects: None
  admissionReviewVersions: [v1]
- {<<: *hook, name: b.example.com}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [none.example.com], apiVersions: [v1], resources: [none], operations: [CREATE]}]
  matchConditions: [{name: one, expression: "true"}, {name: two, expression: "true"}]
  variables: [{name: one, expression: "1"}, {name: two, expression: "2"}]
  validations: [{expression: "true"}, {expression: "1 == 1"}]
"""

POD = "{spec: {template: {spec: %s}}}"
WEB = POD % "{containers: [{name: web, %s}]}"
ORDER = POD % "{$setElementOrder/containers: [%s], containers: [%s]}"
HOOKS = "ValidatingWebhookConfiguration"
TABLE = [
    ("ServiceAccount", "{imagePullSecrets: [{name: c}]}"),
    ("ServiceAccount", "{secrets: [{name: c}]}"),
    ("ServiceAccount", "{secrets: [{name: a, $patch: delete}, {name: c}]}"),
    ("ServiceAccount", "{imagePullSecrets: []}"),
    ("PodDisruptionBudget", "{spec: {selector: {matchLabels: {c: '3'}}}}"),
    ("PodDisruptionBudget", "{spec: {maxUnavailable: null, minAvailable: 1}}"),
    ("Service", "{spec: {ports: [{port: 3, name: three}, {port: 2, targetPort: 22}]}}"),
    ("Service", "{spec: {ports: [{name: none}]}}"),
    ("Service", "{spec: {selector: {$patch: replace, c: d}}}"),
    ("Service", "{spec: {selector: {$patch: delete}}}"),
    ("Service", "{spec: {selector: {$patch: merge}}}"),
    ("EndpointSlice", "{ports: [{name: three, port: 3}]}"),
    ("EndpointSlice", "{endpoints: [{addresses: [10.1.1.2]}]}"),
    ("Ingress", "{spec: {rules: [{host: c.example.com}]}}"),
    ("CronJob", "{spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: b, image: c}]}}}}}}"),
    (HOOKS, "{webhooks: [{name: b.example.com, timeoutSeconds: 3}]}"),
    (HOOKS, "{webhooks: [{name: a.example.com, matchConditions: [{name: two, expression: 'false'}]}]}"),
    ("ValidatingAdmissionPolicy", "{spec: {variables: [{name: two, expression: '3'}, {name: one, expression: '4'}]}}"),
    ("ValidatingAdmissionPolicy", "{spec: {matchConditions: [{name: one, $patch: delete}]}}"),
    ("ValidatingAdmissionPolicy", "{spec: {validations: [{expression: 'false'}]}}"),
    ("Deployment", "{metadata: {finalizers: [example.com/c, example.com/a]}}"),
    ("Deployment", "{metadata: {$deleteFromPrimitiveList/finalizers: [example.com/a]}}"),
    ("Deployment", "{metadata: {$deleteFromPrimitiveList/none: [example.com/a]}}"),
    ("Deployment", "{metadata: {$setElementOrder/finalizers: [example.com/b, example.com/a]}}"),
    ("Deployment", "{metadata: {labels: {$patch: replace, app: web, b: c}, annotations: null}}"),
    ("Deployment", "{metadata: {annotations: {a: null, b: '2'}}}"),
    ("Deployment", "{spec: {strategy: {$retainKeys: [type], type: Recreate}}}"),
    ("Deployment", "{spec: {strategy: {$retainKeys: [rollingUpdate], type: Recreate}}}"),
    ("Deployment", "{spec: {strategy: {type: Recreate}}}"),
    ("Deployment", POD % "{containers: [{name: new, image: n}]}"),
    ("Deployment", POD % "{containers: [{name: last, image: l}, {name: new, image: n}, {name: web, image: w}]}"),
    ("Deployment", POD % "{containers: [{name: new, image: n}, {name: last, image: l}]}"),
    ("Deployment", POD % "{containers: [{name: side, $patch: delete}, {name: none, $patch: delete}]}"),
    ("Deployment", POD % "{containers: [{$patch: replace}, {name: only, image: o}]}"),
    ("Deployment", POD % "{containers: [{$patch: delete}]}"),
    ("Deployment", WEB % "$patch: merge"),
    ("Deployment", WEB % "$patch: grow"),
    ("Deployment", POD % "{containers: [{image: x}]}"),
    ("Deployment", WEB % "env: [{name: A, $patch: delete}]"),
    ("Deployment", WEB % "env: [{name: C, value: c}, {name: D, value: d}]"),
    ("Deployment", WEB % "env: [{name: B, value: null, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]"),
    ("Deployment", WEB % "args: [c]"),
    ("Deployment", WEB % "ports: [{containerPort: 53, $patch: delete}]"),
    ("Deployment", WEB % "ports: [{containerPort: 81}]"),
    ("Deployment", WEB % "volumeMounts: [{mountPath: /two, name: one}]"),
    ("Deployment", POD % "{volumes: [{name: one, $retainKeys: [name, secret], secret: {secretName: s}}]}"),
    ("Deployment", POD % "{volumes: [{name: two, configMap: {items: [{key: l, path: q}]}}]}"),
    ("Deployment", POD % "{$setElementOrder/containers: [{name: last}, {name: web}]}"),
    ("Deployment", ORDER % ("{name: new}, {name: web}", "{name: new, image: n}")),
    ("Deployment", ORDER % ("{name: web}, {name: new}", "{name: new, image: n}, {name: web, image: w}")),
    ("Deployment", ORDER % ("{name: web}", "{name: side, $patch: delete}")),
    ("Deployment", POD % "{$setElementOrder/initContainers: [{name: i}], initContainers: [{name: i, image: i}]}"),
    ("Deployment", POD % "{imagePullSecrets: [{name: z}, {name: x}]}"),
    ("Deployment", POD % "{tolerations: [{key: c, operator: Exists}]}"),
    ("Deployment", POD % "{hostAliases: [{ip: 10.0.0.1, hostnames: [i]}]}"),
    ("Deployment", POD % "{initContainers: [{name: i, image: i, env: null}], nodeSelector: {a: null, b: c}}"),
    ("Deployment", POD % "{securityContext: {$patch: delete}, affinity: {$patch: delete}}"),
]  # fmt: skip


@pytest.fixture(scope="module")
def live(bench_without_flows):
    """Kind → object on the cluster; those of the cluster match nothing."""
    bench = bench_without_flows
    ns = bench.namespace("smp")
    made = {obj["kind"]: (bench, obj) for obj in bench.make(OBJECTS.replace("NAME", ns), ns)}
    with pytest.MonkeyPatch.context() as patch:  # a bad patch is answered with 500, which the client tries again
        patch.setattr("urllib3.util.retry.Retry.sleep", lambda *_: None)
        yield made
    bench.patch("Deployment", ns, "web", {"metadata": {"finalizers": None}})


def asked(live, kind, verb, body, content_type):
    bench, obj = live[kind]
    meta, found = obj["metadata"], bench.kind(kind)
    try:
        answer = (
            bench.clusters[A]
            .request(
                verb,
                found.path(meta.get("namespace", ""), meta["name"]),
                query={"dryRun": "All"},
                body=orjson.dumps(body),
                content_type=content_type,
                subject=f"try {kind}",
            )
            .json()
        )
    except ConflictError:
        raise
    except KubeferryError:
        return REFUSED
    kept = {key: answer["metadata"].get(key) for key in ("labels", "annotations", "finalizers")}
    return {key: each for key, each in answer.items() if key not in ("metadata", "status")} | kept


def theirs(live, kind, patch):
    return asked(live, kind, "PATCH", patch, "application/strategic-merge-patch+json")


def ours(live, kind, patch):
    bench, obj = live[kind]
    before = deepcopy(patch)
    while True:
        obj = bench.get(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        kept = deepcopy(obj)
        try:
            merged = strategic_merge(obj, patch)
        except PatchError:
            return REFUSED
        assert (obj, patch) == (kept, before)
        with suppress(ConflictError):  # a controller wrote its status
            return asked(live, kind, "PUT", merged, "application/json")


@pytest.mark.parametrize(("kind", "patch"), TABLE)
def test_a_patch_does_what_the_api_server_does(live, kind, patch):
    patch = yaml.safe_load(patch)
    assert ours(live, kind, patch) == theirs(live, kind, patch)


NAMES = ("web", "side", "last", "new", "more")


def drawn(draw, items, directives=0.2):
    """Return a patch of a list: some items merged or added, in any order, some deleted, now and then all replaced."""
    patch = draw.sample(items, draw.randint(0, len(items)))
    gone = [draw.random() < directives for _ in patch]
    keys = ("name", "containerPort", "mountPath")
    made = [
        {key: each[key] for key in keys if key in each} | {"$patch": "delete"} if is_gone else each
        for each, is_gone in zip(patch, gone, strict=True)
    ]
    return [*([{"$patch": "replace"}] if draw.random() < directives / 2 else []), *made]


def random_patch(draw):
    """Items that are added have no directives: a server takes these for more items (`strategic_merge`).

    An order is given only where nothing is deleted: a server puts what is added into the slot of what is deleted.
    """
    replaced = draw.random() < 0.1
    containers = []
    for name in NAMES:
        container = {"name": name, "image": f"{name}:{draw.randint(1, 3)}"}
        env = [{"name": key, "value": str(draw.randint(1, 3))} for key in "ABCDE"]
        ports = [{"name": f"p{port}", "containerPort": port} for port in (80, 53, 90)]
        mounts = [{"name": "one", "mountPath": path} for path in ("/one", "/two", "/three")]
        for field, items in (("env", env), ("ports", ports), ("volumeMounts", mounts)):
            if draw.random() < 0.5:
                container[field] = drawn(draw, items, 0 if replaced or name in ("new", "more") else 0.2)
        containers.append(container)
    if replaced:
        return {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, *containers]}}}}
    spec = {"containers": [each for each in drawn(draw, containers) if each.get("$patch") != "replace"]}
    if draw.random() < 0.3 and not any("$patch" in each for each in spec["containers"]):
        spec["$setElementOrder/containers"] = [{"name": name} for name in draw.sample(NAMES, draw.randint(1, 5))]
    if draw.random() < 0.3:
        spec["tolerations"] = [{"key": "z", "operator": "Exists"}]
    if draw.random() < 0.3:
        spec["imagePullSecrets"] = drawn(draw, [{"name": name} for name in "wxyz"])
    finalizers = [f"example.com/{letter}" for letter in "abcd"]
    metadata = {"labels": {"app": "web", "x": draw.choice([None, "y"])}}
    metadata["finalizers"] = draw.sample(finalizers, draw.randint(0, 4))
    if draw.random() < 0.3:
        metadata["$setElementOrder/finalizers"] = draw.sample(finalizers, 4)
    return {"metadata": metadata, "spec": {"template": {"spec": spec}}}


def test_random_patches_do_what_the_api_server_does(live):
    done = 0
    for number in range(60):
        patch = random_patch(random.Random(f"{os.environ['KUBEFERRY_SEED']} {number}"))  # noqa: S311 - no secret
        found = theirs(live, "Deployment", patch)
        assert ours(live, "Deployment", patch) == found, orjson.dumps(patch).decode()
        done += found != REFUSED
    assert done > 20


def test_the_table_is_what_the_api_server_serves(live):
    """After an update of Kubernetes: `python -m tests.support.patch_tags`."""
    bench, _ = live["Deployment"]
    packages, fields = patch_tags.facts(bench.clusters[A])
    assert packages == table.PACKAGES
    assert fields == table.FIELDS
