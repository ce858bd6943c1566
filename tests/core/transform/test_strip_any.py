"""Any object at all, well formed or not, is stripped once, survives, and keeps what no table names."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.transform.strip.portable import (
    BY_KIND,
    CLUSTER_FIELDS,
    DEPLOYMENT_ANNOTATIONS,
    ClusterContext,
    Policy,
    strip,
)
from kubeferry.tasks.core.transform.strip.storage import CLAIM_ANNOTATIONS, TOKEN_DATA, UID_RANGES
from kubeferry.tasks.core.transform.strip.workloads import JOB_LABELS, POD_FIELDS

TABLES = [
    *CLUSTER_FIELDS,
    *POD_FIELDS,
    *JOB_LABELS,
    *CLAIM_ANNOTATIONS,
    *TOKEN_DATA,
    *UID_RANGES,
    *DEPLOYMENT_ANNOTATIONS,
]
NAMES = sorted(
    {*TABLES, "name", "annotations", "labels", "spec", "template", "ports", "port", "nodePort", "clusterIP", "f:spec"}
    | {"f:ports", "f:nodePort", "volumes", "volumeMounts", "containers", "matchLabels", "selector", "volumeName"}
    | {"finalizers", "targetRef", "subsets", "addresses", "endpoints", "webhooks", "clientConfig", "caBundle", "status"}
    | {"versions", "schema", "openAPIV3Schema", "preserveUnknownFields", "claimRef", "type", "secrets", "rules"}
    | {
        "aggregationRule",
        "manualSelector",
        "jobTemplate",
        "suspend",
        "tolerations",
        "fieldsV1",
        "mountPath",
        LAST_APPLIED,
    }
)
OWN = st.sampled_from(["own-a", "own-b", "own-c"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 40_000),
    st.sampled_from(
        ["", "None", "true", "TCP", "kube-api-access-x7k2p", "robot-token-x7k2p", "kubernetes.io/pvc-protection"]
    ),
    OWN,
)
PARTS = st.recursive(
    SCALARS,
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(st.sampled_from(NAMES), part, max_size=4)),
    max_leaves=12,
)
KINDS = sorted({*BY_KIND, ("example.com", "Thing")})


@st.composite
def objects(draw, parts=PARTS):
    group, kind = draw(st.sampled_from(KINDS))
    meta = draw(st.dictionaries(st.sampled_from(NAMES), parts, max_size=5))
    meta |= draw(
        st.fixed_dictionaries({}, optional={"uid": st.just("6a1f"), "annotations": st.just({LAST_APPLIED: "{"})})
    )
    rest = draw(st.dictionaries(st.sampled_from(NAMES), parts, max_size=5))
    whole = rest | {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind, "metadata": meta}
    if draw(st.booleans()):
        applied = json.dumps(rest | {"apiVersion": whole["apiVersion"], "kind": kind, "metadata": meta})
        whole["metadata"] = meta | {"annotations": {LAST_APPLIED: applied}}
    return whole


KEEPS = st.builds(Policy, **dict.fromkeys(Policy.__slots__, st.booleans()))


@given(objects(), KEEPS)
def test_any_object_is_stripped_once_and_survives(obj, keep):
    before = copy.deepcopy(obj)
    around = ClusterContext(static_volumes=frozenset({"own-a"}))
    once = strip(obj, around, keep)
    assert obj == before
    assert strip(once, around, keep) == once


OWN_PARTS = st.recursive(
    SCALARS,
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(OWN, part, max_size=3)),
    max_leaves=8,
)


@given(st.sampled_from(KINDS), st.dictionaries(OWN, OWN_PARTS), st.booleans())
def test_what_no_table_names_stays(kind, part, live):
    group, kind = kind
    authored = {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": kind,
        "metadata": {"name": "a", "labels": {"own": "x"}, "annotations": {"own": "x"}, **part},
        "spec": part,
        "data": part,
        "own": part,
    }
    given_by_cluster = {"uid": "6a1f", "resourceVersion": "5", "managedFields": []} if live else {}
    obj = authored | {"metadata": authored["metadata"] | given_by_cluster, "status": part}
    assert strip(obj) == authored
