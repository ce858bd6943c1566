"""The options of every command are those that were recorded: scripts and people's fingers know them.

A change that is meant is recorded by running this file as a program; the commit then shows the difference.
"""

import enum
import json
import types
import typing
from pathlib import Path

import pytest
from typer.main import get_command

from kubeferry.flows.cli import app

RECORDED = Path(__file__).parent.parent / "data/recorded/commands.json"

USUAL = {"required": False, "multiple": False, "nargs": 1, "eager": False, "secondary": []}
"""What is not written down, as most options have it."""


def commands(command, path=""):
    """Yield every command of `command`, itself the first, with the words that it is called by."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, f"{path} {name}".strip())


def described(parameter):
    """Return what decides how an option or an argument is typed, and what is made of it; texts are for people only."""
    info = parameter.type_descriptor.parameter_info
    completion = info.autocompletion
    found = {
        "name": parameter.name,
        "kind": type(parameter).__name__.removeprefix("Typer").lower(),
        "flags": parameter.opts,
        "secondary": parameter.secondary_opts,
        **typed(parameter.type_descriptor.annotation),
        "default": parameter.default,
        "required": parameter.required,
        "multiple": parameter.multiple,
        "nargs": parameter.nargs,
        "min": parameter.min,
        "max": parameter.max,
        "metavar": parameter.metavar,
        "envvar": parameter.envvar,
        "completion": completion and completion.__name__,
        "eager": parameter.is_eager,
        "file_only": (not info.dir_okay) or None,
    }
    return {key: value for key, value in found.items() if value is not None and value != USUAL.get(key)}


def typed(annotation):
    """Return the type of one value, and its choices where it has such."""
    if isinstance(annotation, types.GenericAlias):
        (annotation,) = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return {"type": "choice", "choices": list(typing.get_args(annotation))}
    if issubclass(annotation, enum.Enum):
        return {"type": "choice", "choices": [each.value for each in annotation]}
    return {"type": annotation.__name__}


def current():
    """Return the options of every command, in their order, as JSON has them."""
    found = {path: [described(each) for each in command.params] for path, command in commands(get_command(app))}
    return json.loads(json.dumps(found))


RECORD = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}


def test_the_commands_are_those_that_were_recorded():
    assert list(current()) == list(RECORD)


@pytest.mark.parametrize("path", RECORD)
def test_a_command_takes_what_was_recorded(path):
    assert current()[path] == RECORD[path]


def written(record):
    """Return a record with one option a line."""
    parts = []
    for path, options in record.items():
        lines = ",\n".join(f"  {json.dumps(each)}" for each in options)
        parts.append(f" {json.dumps(path)}: [\n{lines}\n ]" if options else f" {json.dumps(path)}: []")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    RECORDED.write_text(written(current()), encoding="utf-8")
