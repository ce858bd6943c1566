"""Make the parameters of a command of the table of options, and the options of its flow of what was typed.

A command names its options, in their order, and the pydantic model that holds them. That is imported when the command
runs, since `--help` has no time for pydantic; a test holds table and models together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from inspect import Signature
from typing import TYPE_CHECKING, Any

from kubeferry.flows.options.own import OWN
from kubeferry.flows.options.parsing import options
from kubeferry.flows.options.shared import SHARED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from kubeferry.flows.options.option import Option

MODELS = "kubeferry.tasks.core.models"
"""The package of the models that commands name."""


def takes(command: str, *names: str, model: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator of a command: Typer sees its options, the function gets what they become.

    With a model it gets that as the first argument, and by name what the model has no field for; else all by name.

    Args:
        command: the words that the command is called by.
        names: its options, in their order; there may be several in a text, with spaces between.
        model: the model, as `options.RestoreOptions`.
    """
    taken = Command({name: declared(command, name) for name in " ".join(names).split()}, model)

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        @wraps(body)
        def entry(**typed: Any) -> None:
            taken.call(body, typed)

        parameters = [option.parameter(name) for name, option in taken.options.items()]
        entry.__annotations__ = {each.name: each.annotation for each in parameters}
        vars(entry).update(__signature__=Signature(parameters), taken=taken)
        return entry

    return decorate


def declared(command: str, name: str) -> Option:
    """Return an option as it is in a command: its own, else the one of that name that many share."""
    return OWN.get(command, {}).get(name) or SHARED[name]


@dataclass(frozen=True)
class Command:
    """What a command takes."""

    options: Mapping[str, Option]
    model: str

    def call(self, body: Callable[..., None], typed: Mapping[str, Any]) -> None:
        """Call the function of the command with what was typed, by name.

        Raises:
            UsageError: something that was typed is refused.
        """
        found = self.fields(typed)
        if not self.model:
            body(**found)
            return
        model = self.load()
        known = {name: value for name, value in found.items() if name in model.model_fields}
        more = {name: value for name, value in found.items() if name not in model.model_fields}
        body(options(model, **known), **more)

    def fields(self, typed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the options become, by field.

        Raises:
            UsageError: something that was typed is refused.
        """
        return {
            name: value for each, option in self.options.items() for name, value in option.fields(each, typed).items()
        }

    def load(self) -> type[BaseModel]:
        """Return the model."""
        module, _, name = self.model.partition(".")
        found: type[BaseModel] = getattr(import_module(f"{MODELS}.{module}"), name)
        return found
