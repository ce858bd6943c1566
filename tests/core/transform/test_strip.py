"""Each recorded object becomes what its file says, and every row of the tables has such an object."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from kubeferry.tasks.core.kube.last_applied import LAST_APPLIED
from kubeferry.tasks.core.kube.objects import type_of
from kubeferry.tasks.core.transform.strip import portable, storage, workloads
from kubeferry.tasks.core.transform.strip.case import Case
from kubeferry.tasks.core.transform.strip.portable import (
    BY_KIND,
    CLUSTER_FIELDS,
    SAFE_FINALIZERS,
    ClusterContext,
    Policy,
    strip,
)

DATA = Path(__file__).parents[2] / "data" / "strip"


def load(path):
    case = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    around = ClusterContext(**{name: frozenset(values) for name, values in case.get("around", {}).items()})
    return case | {"around": around, "keep": Policy(**case.get("keep", {}))}


CASES = {path.stem: load(path) for path in sorted(DATA.glob("*.yaml"))}


@pytest.mark.parametrize("name", CASES)
def test_recorded_object_becomes_what_its_file_says(name):
    case = CASES[name]
    before = copy.deepcopy(case["before"])
    assert strip(case["before"], case["around"], case["keep"]) == case["after"], case["claim"]
    assert case["before"] == before, "the input was changed"


@pytest.mark.parametrize("name", CASES)
def test_recorded_object_is_stripped_once(name):
    case = CASES[name]
    assert strip(case["after"], case["around"], case["keep"]) == case["after"]


def test_every_file_holds_a_case_and_nothing_else():
    """A misspelt field of a case would test less than it seems to."""
    known = {"claim", "keep", "around", "before", "after"}
    assert all({"claim", "before", "after"} <= case.keys() <= known for case in CASES.values())


@pytest.mark.parametrize(
    ("kind", "step"),
    [(kind, step) for kind, steps in BY_KIND.items() for step in steps],
    ids=lambda each: getattr(each, "__qualname__", str(each)),
)
def test_every_step_of_every_kind_has_a_case_that_it_changes(kind, step):
    """A row of the table that no file exercises would be believed without having been seen to work."""
    cases = (case for case in CASES.values() if type_of(case["before"]) == kind)
    assert any(
        step(case["before"], Case.of(case["before"], case["around"], case["keep"])) != case["before"] for case in cases
    )


WORDS = [
    *CLUSTER_FIELDS,
    *workloads.POD_FIELDS,
    *workloads.POD_ANNOTATIONS,
    *workloads.ZONE_LABELS,
    *workloads.JOB_LABELS,
    *(toleration["key"] for toleration in workloads.ADDED_TOLERATIONS),
    *storage.CLAIM_ANNOTATIONS,
    *storage.VOLUME_ANNOTATIONS,
    *storage.TOKEN_DATA,
    *storage.TOKEN_LABELS,
    storage.TOKEN_UID,
    *storage.UID_RANGES,
    *portable.DEPLOYMENT_ANNOTATIONS,
    *portable.DAEMON_SET_ANNOTATIONS,
    *portable.SCALER_ANNOTATIONS,
]


@pytest.mark.parametrize("word", WORDS)
def test_every_name_in_a_table_goes_from_some_case(word):
    written = json.dumps(word)
    cases = [(json.dumps(case["before"]), json.dumps(case["after"])) for case in CASES.values()]
    assert any(written in before and written not in after for before, after in cases)


@pytest.mark.parametrize("finalizer", SAFE_FINALIZERS)
def test_every_safe_finalizer_stays_in_some_case(finalizer):
    assert any(finalizer in case["after"]["metadata"].get("finalizers", ()) for case in CASES.values())


@pytest.mark.parametrize(
    "annotation",
    [
        "cert-manager.io/inject-ca-from",
        "cert-manager.io/inject-ca-from-secret",
        "cert-manager.io/inject-apiserver-ca",
        "certmanager.k8s.io/inject-ca-from",
        "certmanager.k8s.io/inject-apiserver-ca",
        "service.beta.openshift.io/inject-cabundle",
        "service.alpha.openshift.io/inject-cabundle",
    ],
)
def test_every_injector_takes_its_authority_away(annotation):
    """All seven mean the same; a file for each would say no more."""
    obj = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.example.com", "annotations": {annotation: "true"}},
        "spec": {"caBundle": "Yw==", "group": "example.com"},
    }
    assert strip(obj)["spec"] == {"group": "example.com"}


def test_every_option_of_keep_has_a_case():
    asked = {name for case in CASES.values() for name in Policy.__slots__ if getattr(case["keep"], name)}
    assert asked == set(Policy.__slots__) - {"completed_jobs"}, "that one is about what is included"


def test_last_applied_is_escaped_as_kubectl_does():
    applied = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"uid": "1"}, "data": {"a": "<&>é\u2028\ud800"}}
    )
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": {LAST_APPLIED: applied}}}
    written = strip(obj)["metadata"]["annotations"][LAST_APPLIED]
    assert written == (
        '{"apiVersion":"v1","data":{"a":"\\u003c\\u0026\\u003eé\\u2028?"},"kind":"ConfigMap","metadata":{}}\n'
    )


def test_last_applied_within_last_applied_is_removed():
    inner = json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"uid": "secret-uid"}})
    outer = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "annotations": {LAST_APPLIED: inner}}}
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {LAST_APPLIED: json.dumps(outer)}}}
    assert "secret-uid" not in json.dumps(strip(obj))


def test_last_applied_nested_too_deeply_to_read_is_removed():
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {LAST_APPLIED: "[" * 200_000}}}
    assert strip(obj)["metadata"] == {}
