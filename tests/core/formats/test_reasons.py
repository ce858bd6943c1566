"""What programs ask of a reason is its code, and what a person reads is made of it once."""

import pytest

from kubeferry.tasks.core.formats.manifest import LeftOut
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.selection.exclusions import exclusion
from kubeferry.tasks.core.selection.policy import ClusterContext

OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d", "uid": "u", "controller": True}
COMPLETE = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("api_version", "kind", "more", "code", "text"),
    [
        ("v1", "Event", {}, "never-carried", "events describe what happened in the source cluster"),
        (
            "v1",
            "ConfigMap",
            {"name": "kube-root-ca.crt"},
            "namespace-default",
            "every cluster publishes its own root certificate",
        ),
        ("v1", "ConfigMap", DELETED, "being-deleted", "being deleted"),
        (
            "v1",
            "ConfigMap",
            {"labels": {"kubeferry.io/exclude": "true"}},
            "excluded-by-label",
            "labelled kubeferry.io/exclude=true",
        ),
        (
            "v1",
            "Pod",
            {"ownerReferences": [OWNER]},
            "left-to-controller",
            "left to its controller, ReplicaSet web-7d",
        ),
        ("v1", "Pod", {"status": {"phase": "Failed"}}, "finished", "has finished (Failed)"),
        ("batch/v1", "Job", COMPLETE, "finished", "has finished (Complete)"),
        (
            "v1",
            "Endpoints",
            {"name": "web"},
            "made-by-endpoints-controller",
            "the endpoints controller creates it from the Service's pods",
        ),
        (
            "v1",
            "Service",
            {"name": "kubernetes", "namespace": "default"},
            "made-by-cluster",
            "the API server creates its own `kubernetes` service",
        ),
    ],
)
def test_what_is_left_out_has_a_code_and_a_sentence(api_version, kind, more, code, text):
    body, meta = (
        {key: more[key] for key in more if key == "status"},
        {key: more[key] for key in more if key != "status"},
    )
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "shop", **meta}, **body}
    reason = exclusion(obj, ClusterContext(selecting_services=frozenset({"web"})))
    assert (reason.code, reason.text) == (code, text)
    gap = LeftOut.of(Ref.of(obj), reason)
    assert (gap.code, gap.why) == (code, text)


def test_who_is_named_is_a_value():
    meta = {"name": "a", "namespace": "shop", "ownerReferences": [OWNER]}
    reason = exclusion({"apiVersion": "v1", "kind": "Pod", "metadata": meta})
    assert reason.about == Ref("apps", "ReplicaSet", "shop", "web-7d")
    assert Reason(ReasonCode.LEFT_TO_CONTROLLER, reason.about, ", whose uid it holds").text == (
        "left to its controller, ReplicaSet web-7d, whose uid it holds"
    )


@pytest.mark.parametrize(
    ("sentence", "code"),
    [
        ("left to its controller, ReplicaSet web-7d", "left-to-controller"),
        ("has finished (Succeeded)", "finished"),
        ("being deleted", "being-deleted"),
        ("the endpoints controller makes it from the service's pods", "made-by-endpoints-controller"),
        ("every cluster publishes its own root certificate", ""),
        ("its kind is excluded", ""),
    ],
)
def test_a_backup_from_before_there_were_codes_is_read_by_its_sentences(sentence, code):
    old = LeftOut.model_validate_json(f'{{"type": "Pod", "namespace": "shop", "name": "a", "why": "{sentence}"}}')
    assert old.code == code


def test_a_code_that_is_stored_counts_whatever_the_sentence_says():
    stored = '{"type": "Pod", "name": "a", "why": "being deleted", "code": "a-code-of-a-later-version"}'
    assert LeftOut.model_validate_json(stored).code == "a-code-of-a-later-version"
