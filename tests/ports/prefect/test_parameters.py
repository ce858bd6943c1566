"""Flows whose parameters are the fields of a model: what Prefect sees of them, with no server."""

import asyncio
import inspect
import json
from importlib import import_module

import pytest
from prefect import Flow, flow
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import get_call_parameters, parameter_schema, parameters_to_args_kwargs
from prefect.utilities.schema_tools.validation import ValidationError, validate
from pydantic import create_model

from kubeferry.tasks.core.models.forms import form
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.core.models.options_migration import MigrateOptions
from kubeferry.tasks.ports.prefect.deployments import takes
from kubeferry.tasks.ports.prefect.parameters import flow_of

FLOWS = ["backup", "delete", "export", "migrate", "migrate_namespace", "populate", "prune", "restore", "undo", "verify"]
BY_WORKER = "PREFECT__FLOW_RUN_ID"


def made(name):
    return getattr(import_module(f"kubeferry.flows.{name}"), name)


def as_engine(flow, stored):
    """Return the parameters of a run as Prefect's engine makes them of the stored ones (_flow_parameters)."""
    args, kwargs = parameters_to_args_kwargs(flow.fn, stored)
    return flow.validate_parameters(get_call_parameters(flow.fn, args, kwargs))


def form_of_one_parameter(model):
    """Return the form of all options as Prefect makes it of a function that takes the model: that of before."""

    def body(options):
        pass

    body.__annotations__ = {"options": model}
    definitions = parameter_schema(flow(body)).definitions
    return definitions.pop(model.__name__), definitions


@pytest.mark.parametrize("name", FLOWS)
def test_the_form_is_the_one_of_the_model_with_its_order_texts_and_checks(name):
    """What Prefect itself made of a parameter with the model is now the whole form, key by key."""
    model = made(name).model
    before, definitions = form_of_one_parameter(model)
    now = form(model)
    assert now.pop("definitions") == definitions
    assert now.pop("title") == "Parameters"
    del before["title"], before["description"]
    assert now == before
    assert list(now["properties"]) == list(before["properties"])
    assert now["additionalProperties"] is False
    assert takes(f"kubeferry.flows.{name}.{name}") == set(model.model_fields)


@pytest.mark.parametrize("name", FLOWS)
def test_prefects_own_deploy_gets_the_same_fields(name):
    """It has no place for checks of several fields; the model makes these when a run begins."""
    found, now = parameter_schema(made(name)), form(made(name).model)
    assert list(found.properties) == list(now["properties"])
    assert found.required == now.get("required", [])
    assert found.definitions == now["definitions"]
    for field, schema in found.properties.items():
        # Prefect adds its position and a default that is made anew where the model's schema has none.
        assert (
            schema == {key: schema[key] for key in ("position", "default") if key in schema} | now["properties"][field]
        )


@pytest.mark.parametrize("name", FLOWS)
def test_its_python_form_and_its_prefect_form_agree(name):
    made_flow = made(name)
    assert made_flow.name == name.replace("_", "-")
    assert inspect.iscoroutinefunction(made_flow.fn)
    assert set(inspect.signature(made_flow.fn).parameters) == {*made_flow.model.model_fields, "options"}
    assert made_flow.with_options(validate_parameters=False).should_validate_parameters is False
    assert made_flow.should_validate_parameters is True
    with pytest.raises(TypeError, match="no setting typo"):
        made_flow.with_options(typo=1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "non-empty"),
        ({"backup": "a", "resume": "b"}, "expected to be empty"),
        ({"backup": "a", "bakcup": "b"}, "Additional properties"),
        ({"backup": "a", "existing": "maybe"}, "is not one of"),
        ({"backup": "a", "wait_seconds": 0}, "minimum"),
        ({"backup": "a", "map": {"Shop": "b"}}, "does not match"),
        ({"backup": "a", "identities": ["AGE-SECRET-KEY-1QQQQQQQQ"]}, "should not be valid"),
    ],
)
def test_the_server_refuses_what_is_wrong_by_the_schema_alone(given, why):
    asked = {"backup": ""} | given
    with pytest.raises(ValidationError, match=why):
        validate(asked, form(RestoreOptions), raise_on_error=True)
    validate({"backup": "a", "map": {"shop": "b"}}, form(RestoreOptions), raise_on_error=True)


def test_a_run_has_what_it_was_given_and_the_defaults_of_the_model():
    given = {"backup": "first", "map": {"shop": "shop2"}, "store": "file:///of/deployment"}
    assert as_engine(made("restore"), given) == dict(RestoreOptions(**given))


MANY = {
    "restore": {
        "backup": "first",
        "map": {"shop": "shop2"},
        "existing_kinds": {"secrets": "skip"},
        "absent": {"node-name": "drop"},
        "modify": {"rules": [{"kind": "Pod", "patches": [{"op": "move", "from": "/a", "path": "/b"}]}]},
        "rewrite_rules": [{"kind": "ConfigMap", "template": "queue-of-{namespace}"}],
        "approve": True,
    },
    "migrate": {"namespaces": ["a", "b"], "from_context": "x", "to_context": "y", "fan_out": "deployment"},
    "backup": {"namespaces": ["a"], "ttl": "30d", "cluster_wide": "none"},
    "undo": {"restore": "one"},
    "delete": {"bundle": "one", "namespaces": ["a"]},
    "export": {"backup": "first", "out": "/there"},
    "populate": {"backup": "first", "into": [{"name": "a"}]},
    "migrate_namespace": {"migration": "m", "namespace": "a", "store": "file:///b"},
}


@pytest.mark.parametrize("name", FLOWS)
def test_what_prefect_stores_of_a_run_is_what_its_own_encoder_makes(name):
    """The model is the same after the way through Prefect's database, too."""
    made_flow = made(name)
    asked = made_flow.model.model_validate(MANY.get(name, {}))
    stored = made_flow.serialize_parameters(dict(asked))
    assert stored == Flow.serialize_parameters(made_flow, dict(asked))
    assert as_engine(made_flow, json.loads(json.dumps(stored))) == dict(asked)


def test_a_run_of_a_deployment_of_an_earlier_version_is_still_understood():
    """Its parameters are stored in one named `options`."""
    given = {"backup": "first", "map": {"shop": "shop2"}, "store": "file:///of/deployment"}
    assert as_engine(made("restore"), {"options": given}) == dict(RestoreOptions(**given))
    assert as_engine(made("undo"), {"options": {"restore": "one"}}) == dict(UndoOptions(restore="one"))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("undo", {}, "restore: Field required"),
        ("restore", {}, "name a BACKUP, a bundle with --from-bundle, or a restore to --resume"),
        ("restore", {"backup": "a", "existing": "maybe"}, "existing: Input should be 'fail', 'skip'"),
        ("migrate", {"namespaces": ["shop"]}, "name the target cluster with --to-context"),
    ],
)
def test_what_the_model_refuses_is_said_by_name(name, given, message):
    with pytest.raises(ParameterTypeError, match=message):
        as_engine(made(name), given)


def test_a_secret_key_that_is_given_is_not_quoted(caplog):
    secret = "AGE-SECRET-KEY-1QQQQQQQQQQQQQ"
    with pytest.raises(ParameterTypeError) as caught:
        as_engine(made("restore"), {"backup": "a", "identities": [secret]})
    assert secret not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None


# --- what the worker's environment gives


@pytest.fixture
def by_worker(monkeypatch):
    """A process that a worker started, and its variables."""
    monkeypatch.setenv(BY_WORKER, "6fe4ea64-3a2b-4f4e-8f5a-2a4a9c1d0c00")
    return monkeypatch.setenv


def test_what_neither_run_nor_deployment_gives_comes_from_the_worker(by_worker):
    by_worker("KUBEFERRY_STORE", "file:///of/worker")
    by_worker("KUBEFERRY_CONTEXT", "of-worker")
    by_worker("KUBEFERRY_IDENTITY", "/keys/a:/keys/b c")
    by_worker("KUBEFERRY_ENCRYPT_TO", "age1abc ssh-ed25519 AAAA")
    found = as_engine(made("restore"), {"backup": "first", "context": "of-run"})
    assert (found["store"], found["context"]) == ("file:///of/worker", "of-run")
    assert found["identities"] == ["/keys/a", "/keys/b c"]
    assert found["encrypt_to"] == ["age1abc", "ssh-ed25519 AAAA"]
    assert as_engine(made("restore"), {"backup": "first", "store": "file:///of/run"})["store"] == "file:///of/run"
    assert as_engine(made("restore"), {"options": {"backup": "first"}})["store"] == "file:///of/worker"


def test_a_migration_gets_both_contexts_from_the_worker(by_worker):
    by_worker("KUBEFERRY_FROM_CONTEXT", "old")
    by_worker("KUBEFERRY_TO_CONTEXT", "new")
    by_worker("KUBEFERRY_CONTEXT", "neither")
    found = as_engine(made("migrate"), {"namespaces": ["shop"]})
    assert found == dict(MigrateOptions(namespaces=["shop"], from_context="old", to_context="new"))


def test_a_flow_that_a_program_calls_gets_nothing_from_variables(monkeypatch):
    monkeypatch.setenv("KUBEFERRY_STORE", "file:///of/worker")
    assert as_engine(made("restore"), {"backup": "first"})["store"] == ""


def test_the_variables_are_those_of_the_command_line():
    from kubeferry.flows.options.own import OWN
    from kubeferry.flows.options.shared import SHARED
    from kubeferry.tasks.core.models.from_environment import VARIABLES

    fields = {field for name in FLOWS for field in made(name).model.model_fields}
    options = [(each.fills or name, each) for table in (SHARED, *OWN.values()) for name, each in table.items()]
    by_flag = {field: each.envvar for field, each in options if each.envvar and field in fields}
    assert {field: variable for field, (variable, _) in VARIABLES.items()} == by_flag


# --- any model


def test_a_model_with_a_required_field_and_a_default_that_is_made_anew():
    model = create_model("Asked", needed=(int, ...), many=(list[int], []))

    @flow_of(model, name="own", flow_run_name="own")
    async def own(options):
        return options.needed, options.many

    args, kwargs = parameters_to_args_kwargs(own.fn, {"needed": 3})
    assert asyncio.run(own.fn(*args, **kwargs)) == (3, [])
    assert asyncio.run(own.fn(model(needed=4, many=[1]))) == (4, [1])
    assert as_engine(own, {"needed": "5"}) == {"needed": 5, "many": []}
