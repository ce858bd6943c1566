"""What counts as not kept: each pair is an object as it was sent and as an API server of Kubernetes answered."""

import copy

import pytest

from kubeferry.tasks.core.formats.losses import LossCode
from kubeferry.tasks.core.plan.kept import is_as_sent, not_kept

PRUNED, CHANGED = LossCode.PRUNED, LossCode.CHANGED_BY_TARGET


def obj(spec, **more):
    return {"apiVersion": "example.com/v1", "kind": "Box", "metadata": {"name": "red"}, "spec": spec} | more


def secret(**more):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "red"}, **more}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"cpu": "1000m", "memory": "1024Mi", "share": "0.5"}, {"cpu": "1", "memory": "1Gi", "share": "500m"}),
        ({"cpu": 1, "memory": 1048576}, {"cpu": "1", "memory": "1Mi"}),
        ({"every": "60m", "timeout": "1m30s"}, {"every": "1h0m0s", "timeout": "90s"}),
        ({"at": "2026-01-02T03:04:05.678Z"}, {"at": "2026-01-02T03:04:05Z"}),
        ({"at": "2026-01-02T05:04:05+02:00"}, {"at": "2026-01-02T03:04:05Z"}),
        ({"a": None, "b": {}, "c": [], "d": "", "e": 0, "f": False, "g": {"h": None}}, {}),
        ({"a": None}, {"a": 5}),
        ({"set": ["b", "a"]}, {"set": ["a", "b"]}),
        ({"list": [{"name": "a", "x": 1}]}, {"list": [{"name": "sidecar"}, {"name": "a", "x": 1, "y": 2}]}),
        (
            {"tolerations": [{"operator": "Exists"}, {"key": "a", "value": "1"}, {"key": "a", "value": "2"}]},
            {
                "tolerations": [
                    {"key": "z"},
                    {"key": "a", "value": "2", "effect": "x"},
                    {"key": "a", "value": "1"},
                    {"operator": "Exists"},
                ]
            },
        ),
    ],
)
def test_the_same_in_other_words_and_what_is_added_are_no_loss(sent, stored):
    assert not_kept(obj(sent), obj(stored)) == []


@pytest.mark.parametrize(
    ("sent", "stored", "lost"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, [("/spec/b", PRUNED)]),
        ({"a": {"b": {"c": 1}}}, {"a": {}}, [("/spec/a/b", PRUNED)]),
        ({"a": 1}, {"a": 2}, [("/spec/a", CHANGED)]),
        ({"a": "1000m"}, {"a": "2"}, [("/spec/a", CHANGED)]),
        ({"a": "1m"}, {"a": "60s"}, []),
        ({"a": "a"}, {"a": "b"}, [("/spec/a", CHANGED)]),
        ({"a": "x"}, {"a": {"x": 1}}, [("/spec/a", CHANGED)]),
        ({"set": ["a", "b"]}, {"set": ["a"]}, [("/spec/set/1", CHANGED)]),
        ({"set": ["a", "a"]}, {"set": ["a"]}, [("/spec/set/1", CHANGED)]),
        (
            {"list": [{"name": "a", "x": 1}, {"name": "b", "x": {"y": 1}}]},
            {"list": [{"name": "new"}, {"name": "b", "x": {}}, {"name": "a", "x": 3}]},
            [("/spec/list/0/x", CHANGED), ("/spec/list/1/x/y", PRUNED)],
        ),
        ({"list": [{"x": 1, "y": 1}]}, {"list": [{"x": 1}]}, [("/spec/list/0/y", PRUNED)]),
        ({"a/b": {"c~d": 1}}, {"a/b": {}}, [("/spec/a~1b/c~0d", PRUNED)]),
    ],
)
def test_what_is_gone_or_another_value_is_named(sent, stored, lost):
    assert not_kept(obj(sent), obj(stored)) == lost


def test_what_the_server_writes_is_not_compared():
    meta = {"name": "red", "uid": "1", "resourceVersion": "7", "creationTimestamp": None, "managedFields": [{}]}
    stored = obj({}, metadata={"name": "red", "uid": "2", "resourceVersion": "9", "labels": {"added": "1"}})
    assert not_kept(obj({}, metadata=meta), stored) == []
    assert not_kept(obj({}, metadata={"name": "red", "labels": {"a": "1"}, "odd": 1}), stored) == [
        ("/metadata/labels/a", PRUNED),
        ("/metadata/odd", PRUNED),
    ]


def test_status_is_compared_where_it_is_data():
    sent, stored = obj({}, status={"a": 1}), obj({})
    assert not_kept(sent, stored) == []
    assert not_kept(sent, stored, status=True) == [("/status", PRUNED)]


def test_a_secret_keeps_its_bytes_and_no_value_of_it_is_shown():
    sent = secret(data={"a": "aGVs\nbG8="}, stringData={"b": "hello", "a": "bye"})
    assert not_kept(sent, secret(data={"a": "Ynll", "b": "aGVsbG8="})) == []
    assert not_kept(secret(data={"a": "aGVs\nbG8="}), secret(data={"a": "aGVsbG8="})) == []
    assert not_kept(sent, secret(data={"a": "Ynll", "b": "Ynll"})) == [("/data/b", CHANGED)]


def test_a_default_of_newer_servers_that_an_older_one_does_not_know_is_no_loss():
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one"}}
    sent = {"completions": 1, "podReplacementPolicy": "TerminatingOrFailed"}
    assert not_kept(job | {"spec": sent}, job | {"spec": {"completions": 1}}) == []
    assert not_kept(obj(sent), obj({"completions": 1})) == [("/spec/podReplacementPolicy", PRUNED)], (
        "anything of others"
    )


@pytest.mark.parametrize(
    ("changed", "status", "same"),
    [
        (lambda _: None, False, True),
        (lambda o: o["metadata"].update(uid="u", resourceVersion="7", generation=1, managedFields=[]), False, True),
        (lambda o: o.update(status={"phase": "Active"}), False, True),
        (lambda o: o.update(status={"phase": "Active"}), True, False),
        (lambda o: o["metadata"].update(labels={"injected": "yes"}), False, False),
        (lambda o: o["metadata"].pop("annotations"), False, False),
        (lambda o: o["spec"].update(replicas=3), False, False),
        (lambda o: o["spec"].update(added=1), False, False),
        (lambda o: o.pop("spec"), False, False),
        (lambda o: o.update(immutable=True), False, False),
    ],
)
def test_what_is_stored_as_it_was_sent_has_nothing_more_and_nothing_less(changed, status, same):
    sent = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "red", "annotations": {"a": "1"}},
        "spec": {"replicas": 2},
    }
    stored = copy.deepcopy(sent)
    changed(stored)
    assert is_as_sent(sent, stored, status=status) == same


def test_a_status_that_was_sent_as_data_has_to_come_back():
    sent = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "red"}, "status": {"a": 1}}
    assert is_as_sent(sent, copy.deepcopy(sent), status=True)
    assert not is_as_sent(sent, sent | {"status": {"a": 2}}, status=True)
    assert not is_as_sent(sent, {key: value for key, value in sent.items() if key != "status"}, status=True)
