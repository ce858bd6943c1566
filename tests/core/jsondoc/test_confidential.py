"""What of a Secret may be shown, in each place that shows values."""

import base64

import pytest

from kubeferry.tasks.core.compare.diff import masked
from kubeferry.tasks.core.jsondoc.confidential import is_secret, may_show
from kubeferry.tasks.core.jsondoc.differences import differences
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan import document

VALUE = "s3cr3t-value"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "Opaque",
    "metadata": {"name": "db", "namespace": "shop", "labels": {"app": "db"}, "annotations": {"a.b/c": VALUE}},
    "data": {"password": base64.b64encode(VALUE.encode()).decode()},
    "stringData": {"user": VALUE},
    "later": {"field": VALUE},
}
HIDDEN = (VALUE, base64.b64encode(VALUE.encode()).decode())


@pytest.mark.parametrize("obj", [{}, {"kind": "Secret"}, {"kind": "Secret", "apiVersion": 7}, {"apiVersion": "v1"}])
def test_an_object_of_any_shape_is_asked(obj):
    assert is_secret(obj) == (obj == {"kind": "Secret"} or obj.get("apiVersion") == 7)


def test_a_secret_of_another_group_is_none():
    assert not is_secret({"apiVersion": "example.com/v1", "kind": "Secret"})


@pytest.mark.parametrize("changed", ["annotations", "data", "stringData", "later", "metadata", "gone"])
def test_no_output_has_a_value_of_a_secret(changed):
    """A value is in one of two versions, or in both; the whole field, the metadata or the object is missing."""
    if changed == "annotations":
        other = SECRET | {"metadata": {key: each for key, each in SECRET["metadata"].items() if key != changed}}
    else:
        other = {} if changed == "gone" else {key: each for key, each in SECRET.items() if key != changed}
    for before, after in [(SECRET, other), (other, SECRET), (SECRET, SECRET)]:
        text = f"{masked(before, after)} {[str(each) for each in differences(before, after)]!r}"
        assert not [each for each in HIDDEN if each in text]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/metadata/namespace", True),
        ("metadata.labels.app", True),
        ("metadata.ownerReferences[0].uid", True),
        ("type", True),
        ("/data/password", False),
        ('data["a.b"]', False),
        ("stringData.user", False),
        ("/metadata/annotations/a.b~1c", False),
        ('metadata.annotations["a.b/c"]', False),
        ("metadata.annotations", False),
        ("metadata", False),
        ("later.field", False),
        ("", False),
    ],
)
def test_a_plan_hides_a_place_however_its_path_is_written(path, shown):
    assert document.hidden(Ref("", "Secret", "shop", "db"), path) is not shown
    assert document.hidden(Ref("", "ConfigMap", "shop", "db"), path) is False


def test_the_path_to_the_metadata_has_the_annotations_in_it():
    assert [may_show(path) for path in ([], ["metadata"], ["metadata", "name"], ["data"])] == [
        False,
        False,
        True,
        False,
    ]
