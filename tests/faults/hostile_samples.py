"""One object of each kind that some rule looks into, as clusters have them, for a fuzzer to spoil."""

import base64
import copy
import gzip

import orjson
import yaml
from tests.faults.hostile import shop

UID = "11111111-1111-4111-8111-111111111111"
LIVE = f"""
  uid: {UID}
  resourceVersion: "5"
  generation: 3
  creationTimestamp: "2026-01-01T00:00:00Z"
  managedFields: [{{manager: x, operation: Apply, fieldsV1: {{"f:spec": {{"f:healthCheckNodePort": {{}}}}}}}}]
"""

TEXT = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook, annotations: {cert-manager.io/inject-ca-from: shop/x}}
webhooks:
- name: a.b.c
  clientConfig: {service: {namespace: shop, name: web, path: /}, caBundle: AA==}
  namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: shop}
    matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [shop]}]
  rules: [{apiGroups: ["*"]}]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.x.io}
spec: {service: {namespace: shop, name: web}, group: x.io, version: v1}
---
apiVersion: v1
kind: PersistentVolume
metadata:
  name: pv1
LIVE
spec: {claimRef: {namespace: shop, name: data, uid: u}, csi: {nodePublishSecretRef: {namespace: shop, name: s}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: bound
  namespace: shop
LIVE
spec: {volumeName: pv1, storageClassName: standard, resources: {requests: {storage: 1Gi}}}
status: {phase: Bound}
---
apiVersion: v1
kind: Service
metadata:
  name: live
  namespace: shop
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: >-
      {"apiVersion":"v1","kind":"Service","metadata":{"name":"live","namespace":"shop"},
      "spec":{"ports":[{"port":80,"nodePort":30080}]}}
LIVE
spec:
  type: NodePort
  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1]
  ports: [{port: 80, nodePort: 30080, name: x}]
  healthCheckNodePort: 31000
  selector: {a: b}
status: {loadBalancer: {ingress: [{ip: 192.0.2.4}]}}
---
apiVersion: v1
kind: Pod
metadata:
  name: live
  namespace: shop
  labels: {topology.kubernetes.io/zone: z}
LIVE
spec:
  nodeName: n
  serviceAccountName: api
  tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]
  volumes:
  - {name: kube-api-access-bcdfg, projected: {sources: [{configMap: {name: c}}, {secret: {name: s}}]}}
  - {name: e, ephemeral: {volumeClaimTemplate: {metadata: {creationTimestamp: null}, spec: {storageClassName: s}}}}
  containers:
  - name: c
    image: i
    args: [--namespace, shop, --namespace=shop]
    env: [{name: NAMESPACE, value: shop}, {name: X, valueFrom: {secretKeyRef: {name: s, key: k}}}]
    envFrom: [{secretRef: {name: s}}]
    volumeMounts: [{name: kube-api-access-bcdfg, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
      - {namespaces: [shop], namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}
status: {phase: Running, podIP: 10.1.1.1, podIPs: [{ip: 10.1.1.1}], conditions: [{type: Ready, status: "True"}]}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: done
  namespace: shop
  labels: {controller-uid: x}
LIVE
spec:
  selector: {matchLabels: {controller-uid: x}}
  template: {metadata: {labels: {controller-uid: x}}, spec: {containers: []}}
status: {conditions: [{type: Complete, status: "True"}]}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: shop, annotations: {kubernetes.io/service-account.name: api}}
type: kubernetes.io/service-account-token
data: {token: AA==}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  namespace: shop
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u, controller: true}]
LIVE
spec: {replicas: 1, template: {spec: {containers: []}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: gathered}
aggregationRule:
  clusterRoleSelectors: [{matchLabels: {a: b}, matchExpressions: [{key: x, operator: In, values: [y]}]}]
rules: null
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: cert, namespace: shop, annotations: {kubeferry.io/level: "2"}}
spec: {secretName: s, issuerRef: {name: i, kind: Issuer, group: cert-manager.io}}
---
apiVersion: cluster.x-k8s.io/v1beta1
kind: Cluster
metadata: {name: c1, namespace: shop, annotations: {kubeferry.io/depends-on: ConfigMap/settings}}
spec:
  paused: false
  infrastructureRef: {apiVersion: infrastructure.cluster.x-k8s.io/v1beta1, kind: AWSCluster, name: c1, namespace: shop}
  namespaceSelector: {matchNames: [shop], matchLabels: {}}
  destination: {server: in-cluster, name: in-cluster, namespace: shop}
  secretNamespace: shop
  secretName: s
  namespaces: [shop]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec:
  listeners:
  - tls: {certificateRefs: [{name: s, namespace: shop}]}
    allowedRoutes: {namespaces: {selector: {matchLabels: {kubernetes.io/metadata.name: shop}}}}
"""

RELEASE = {
    "name": "r",
    "namespace": "shop",
    "manifest": "---\nkind: Service\napiVersion: v1\nmetadata: {name: w, namespace: shop}\nspec: &a {b: [1]}\nx: *a\n",
    "config": {"a": "web.shop.svc"},
    "hooks": [{"manifest": "apiVersion: v1\nkind: Pod\nmetadata: {name: h, namespace: shop}"}],
}


def release(value):
    """A record of Helm's that holds a value."""
    data = base64.b64encode(base64.b64encode(gzip.compress(orjson.dumps(value), 1))).decode()
    meta = {"name": "sh.helm.release.v1.r.v1", "namespace": "shop", "labels": {"owner": "helm"}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "type": "helm.sh/release.v1",
        "data": {"release": data},
    }


def samples():
    """Every sample, in namespace `shop`; each a structure of its own."""
    made = [*yaml.safe_load_all(TEXT.replace("LIVE\n", LIVE[1:])), release(RELEASE), *shop("shop")]
    for obj in made:
        for owner in obj["metadata"].get("ownerReferences") or ():
            owner.setdefault("uid", UID)
    return copy.deepcopy(made)
