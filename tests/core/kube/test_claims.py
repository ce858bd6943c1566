"""The class of a claim or a volume, as component-helpers' GetPersistentVolumeClaimClass reads it."""

import pytest

from kubeferry.tasks.core.kube.claims import class_annotation, class_of

OLD = "volume.beta.kubernetes.io/storage-class"


def claim(annotation=None, field=None):
    meta = {"name": "data"} | ({"annotations": {OLD: annotation}} if annotation is not None else {})
    return {"metadata": meta, "spec": {"storageClassName": field} if field is not None else {}}


@pytest.mark.parametrize(
    ("annotation", "field", "expected"),
    [
        (None, None, None),
        (None, "fast", "fast"),
        (None, "", ""),
        ("old", None, "old"),
        ("old", "fast", "old"),
        ("", "fast", ""),
    ],
)
def test_the_annotation_takes_precedence_and_an_empty_text_is_no_class(annotation, field, expected):
    assert class_of(claim(annotation, field)) == expected


@pytest.mark.parametrize("odd", [{}, {"metadata": None}, {"metadata": {"annotations": {OLD: 7}}}, None])
def test_what_is_no_annotation_names_nothing(odd):
    assert class_annotation(odd) is None
