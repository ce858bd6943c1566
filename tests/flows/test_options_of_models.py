"""The table of options and the models of flows say the same; the command line has no time to ask pydantic itself."""

import inspect
import typing
from enum import Enum

import annotated_types
import pytest
from typer.main import get_command

from kubeferry.deployments.sandbox import build
from kubeferry.flows.cli import app
from kubeferry.flows.options import parsing
from kubeferry.flows.options.own import OWN
from kubeferry.flows.options.shared import SHARED
from kubeferry.tasks.core.errors import UsageError

OFFLINE = {
    "allow_pruned",
    "existing",
    "existing_kinds",
    "on_failure",
    "rollback_on_failure",
    "bundle",
    "wait",
    "wait_seconds",
    "encrypt_to",
}
RUN = {"name", "resume", "approve", "approve_seconds"}
WITHOUT_OPTION = {
    "plan": OFFLINE | RUN | {"from_bundle"},
    "diff": OFFLINE
    | RUN
    | {"owned", "absent", "modify", "from_bundle", "allow_sources", "subjects", "status", "finalizers", "at_rest"},
    "populate": {"map"},
    "prune": {"context", "kubeconfig"},
}
"""Fields that a command leaves as they are: a plan and a diff write nothing, populate names what it makes, and a prune
asks no cluster."""

TYPED = {"backup": {"all_namespaces": True}, "populate": {"into": ["shop"]}}
"""What has to be typed, since the command refuses to begin without."""

COUNTS = {f"keep_{each}" for each in ("last", "hourly", "daily", "weekly", "monthly", "yearly")}
"""Fields of which the model alone knows the upper bound: no person comes near it."""


def commands(command, path=""):
    """Yield what each command takes, and its function, by the words that it is called by."""
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, f"{path} {name}".strip())
    if command.callback and hasattr(command.callback, "taken"):
        yield path, (command.callback.taken, inspect.unwrap(command.callback))


TAKEN = dict(commands(get_command(app)))
WITH_MODEL = {path: taken for path, (taken, _) in TAKEN.items() if taken.model}


def words(name, option):
    """Return the fields that an option fills."""
    return [name] if option.fills is None else option.fills.split()


def filled(taken):
    """Yield each option of a command with each field of the model that it fills."""
    fields = taken.load().model_fields
    for name, option in taken.options.items():
        yield from ((name, option, field, fields[field]) for field in words(name, option) if field in fields)


def bounds(info):
    """Return the least and the greatest number that a field takes."""
    low = [each.ge for each in info.metadata if isinstance(each, annotated_types.Ge)]
    high = [each.le for each in info.metadata if isinstance(each, annotated_types.Le)]
    return (low or [None])[0], (high or [None])[0]


def choices(annotation):
    """Return the words that a type is made of, or nothing."""
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return [each.value for each in annotation] if inspect.isclass(annotation) and issubclass(annotation, Enum) else []


def test_those_that_start_a_flow_take_its_model():
    starting = {"backup", "restore", "undo", "migrate", "populate", "delete", "prune", "export"}
    assert set(WITH_MODEL) == starting | {"plan", "diff", "doctor", "deploy"}


@pytest.mark.parametrize("path", WITH_MODEL)
def test_each_field_has_one_option_or_is_meant_to_have_none(path):
    found = [field for _, _, field, _ in filled(WITH_MODEL[path])]
    assert sorted(found) == sorted(set(found)), "two options fill one field"
    assert set(found) == set(WITH_MODEL[path].load().model_fields) - WITHOUT_OPTION.get(path, set())
    assert WITHOUT_OPTION.get(path, set()) <= set(WITH_MODEL[path].load().model_fields)


@pytest.mark.parametrize("path", WITH_MODEL)
def test_what_is_not_typed_is_what_the_model_has(path):
    taken, typed = WITH_MODEL[path], TYPED.get(path, {})
    values = {name: option.untyped for name, option in taken.options.items()} | typed
    got = taken.fields(values)
    left = {name for name in taken.options if name in typed or taken.options[name].required}
    for name, _, field, info in filled(taken):
        if name not in left and field in got:
            assert got[field] == info.get_default(call_default_factory=True), field
        assert name in left or not info.is_required()


@pytest.mark.parametrize("path", WITH_MODEL)
def test_bounds_and_choices_are_those_of_the_model(path):
    for name, option, field, info in filled(WITH_MODEL[path]):
        low, high = bounds(info)
        assert (option.min, option.max) == (low, None if field in COUNTS else high), name
        if not option.parser:
            assert choices(option.type) == choices(info.annotation), name


@pytest.mark.parametrize("path", TAKEN)
def test_a_function_takes_what_it_is_given(path):
    taken, body = TAKEN[path]
    given = [word for name, option in taken.options.items() for word in words(name, option)]
    parameters = inspect.signature(body).parameters
    if taken.model:
        model = taken.load()
        assert parameters["asked"].annotation == model.__name__
        given = ["asked", *(word for word in given if word not in model.model_fields)]
    assert sorted(parameters) == sorted(given)


@pytest.mark.parametrize("path", TAKEN)
def test_what_a_parser_reads_is_an_option_of_the_same_command(path):
    options = TAKEN[path][0].options
    assert {name for option in options.values() for name in option.reads} <= set(options)


def test_no_option_is_declared_for_nobody():
    for path, own in OWN.items():
        assert set(own) <= set(TAKEN[path][0].options), path
    taken = {name for path, (found, _) in TAKEN.items() for name in found.options if name not in OWN.get(path, {})}
    assert taken == set(SHARED)


def test_the_tools_of_the_sandbox_are_those_that_it_can_build():
    assert list(parsing.TOOLS) == list(build.TOOLS)


def test_a_tool_that_nobody_knows_is_refused_before_anything_starts():
    with pytest.raises(UsageError, match="--with kubectx: there is helm"):
        parsing.tools(["kubectx"])
