"""The schemas of which Prefect makes its forms refuse what the models refuse: Prefect checks them before a run."""

import pytest
from prefect.utilities.schema_tools import validation

from kubeferry.tasks.core.models.options import BackupOptions, RestoreOptions

SCHEMA = RestoreOptions.model_json_schema()


def why(values, **how):
    return [error.message for error in validation.validate(values, SCHEMA, **how)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "'backup' is a required property"),
        ({"backup": ""}, "'' should be non-empty"),
        ({"backup": "a", "resume": "b"}, "'a' is expected to be empty"),
        ({"from_bundle": "shop/web", "resume": "b"}, "'shop/web' is expected to be empty"),
        ({"from_bundle": "web"}, "'web' does not match"),
        ({"backup": "a", "map": {"Shop": "shop"}}, "'Shop' does not match any of the regexes"),
        ({"backup": "a", "wait_seconds": 0}, "0 is less than the minimum of 1"),
        ({"backup": "a", "existing": "maybe"}, "'maybe' is not one of"),
    ],
)
def test_a_form_refuses_what_the_model_would(values, message):
    with pytest.raises(ValueError, match="validation error"):
        RestoreOptions(**values)
    (only,) = why(values)
    assert message in only


@pytest.mark.parametrize(
    "values",
    [
        {"backup": "a"},
        {"resume": "b"},
        {"from_bundle": "shop/web"},
        {"from_bundle": "shop/web", "backup": "a"},
        {"backup": "a", "map": {"shop": "shop-copy"}},
    ],
)
def test_a_form_takes_what_the_model_takes(values):
    assert RestoreOptions(**values)
    assert why(values) == []


def test_defaults_of_a_deployment_need_no_backup():
    assert why({"context": "prod"}, ignore_required=True) == []


def test_what_matters_comes_first_and_has_a_title_and_a_description():
    fields = SCHEMA["properties"]
    assert list(fields)[:3] == ["backup", "namespaces", "namespace_selector"]
    assert list(BackupOptions.model_json_schema()["properties"])[:2] == ["namespaces", "namespace_selector"]
    assert [each["position"] for each in fields.values()] == list(range(len(fields)))
    assert fields["wait_seconds"]["title"] == "Wait seconds"
    assert fields["wait_seconds"]["description"].endswith(" From 1 to 86400.")
    assert [name for name, each in fields.items() if "description" not in each] == []
