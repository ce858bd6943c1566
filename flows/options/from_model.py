"""Build a command's parameters from the table of options, and the options of its flow from the command line.

A command names its options, in their order, and the pydantic model that holds them. The model is imported when the
command runs, since importing pydantic would slow down `--help`; a test compares table and models.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial, update_wrapper
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
    """Return a decorator for a command: Typer sees its options, the function gets the parsed values.

    With a model, the function gets the model as first argument, and as keyword arguments the values that the model has
    no field for. Without a model, all values are keyword arguments.

    Args:
        command: the words of the command, such as "sandbox up".
        names: its options, in their order; a string may hold several, separated by spaces.
        model: the model, such as `options.RestoreOptions`.
    """
    taken = Command({name: declared(command, name) for name in " ".join(names).split()}, model)

    return partial(Entry, taken)


class Entry:
    """What Typer calls with the values of the command line. Its signature is made when Typer reads it."""

    def __init__(self, taken: Command, body: Callable[..., None]) -> None:
        """Take the name and the docstring of the command's function."""
        update_wrapper(self, body, ("__module__", "__name__", "__qualname__", "__doc__"))
        self.taken = taken
        self._body = body

    def __call__(self, **typed: Any) -> None:
        """Call the function of the command.

        Raises:
            UsageError: a value is invalid.
        """
        self.taken.call(self._body, typed)

    @cached_property
    def __signature__(self) -> Signature:
        """Return the parameters."""
        return Signature([option.parameter(name) for name, option in self.taken.options.items()])

    @property
    def __annotations__(self) -> dict[str, Any]:  # type: ignore[override] # read, never written
        """Return the types of the parameters."""
        return {each.name: each.annotation for each in self.__signature__.parameters.values()}


def declared(command: str, name: str) -> Option:
    """Return an option of a command: the command's own, else the shared one of that name."""
    return OWN.get(command, {}).get(name) or SHARED[name]


@dataclass(frozen=True)
class Command:
    """The options of a command, and their model."""

    options: Mapping[str, Option]
    model: str

    def call(self, body: Callable[..., None], typed: Mapping[str, Any]) -> None:
        """Call the function of the command with the values of the command line.

        Raises:
            UsageError: a value is invalid.
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
        """Return the parsed values by field.

        Raises:
            UsageError: a value is invalid.
        """
        return {
            name: value for each, option in self.options.items() for name, value in option.fields(each, typed).items()
        }

    def load(self) -> type[BaseModel]:
        """Return the model."""
        module, _, name = self.model.partition(".")
        found: type[BaseModel] = getattr(import_module(f"{MODELS}.{module}"), name)
        return found
