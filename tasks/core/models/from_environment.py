"""The options that a worker's environment gives to a run which does not: by the variables of the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.recipients import rejoined

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


def _text(value: str) -> str:
    return value


def _paths(value: str) -> list[str]:
    return [each for each in value.split(os.pathsep) if each]


def _recipients(value: str) -> list[str]:
    return rejoined(value.split())


VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "context": ("KUBEFERRY_CONTEXT", _text),
    "from_context": ("KUBEFERRY_FROM_CONTEXT", _text),
    "to_context": ("KUBEFERRY_TO_CONTEXT", _text),
    "kubeconfig": ("KUBEFERRY_KUBECONFIG", _text),
    "store": ("KUBEFERRY_STORE", _text),
    "identities": ("KUBEFERRY_IDENTITY", _paths),
    "encrypt_to": ("KUBEFERRY_ENCRYPT_TO", _recipients),
}
"""Field of an options model → its environment variable, and how its text is read: as the command line reads it (Click
splits lists at blanks, those of paths at the platform's separator)."""


def from_environment(
    given: Mapping[str, Any], fields: Collection[str], environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return the options of a run with those that the environment has where the run has nothing, or an empty value.

    Args:
        given: option → value, of the run's parameters.
        fields: the options that its flow takes.
        environment: name → value.
    """
    known = {name: read(environment.get(variable, "")) for name, (variable, read) in VARIABLES.items()}
    return dict(given) | {
        name: value for name, value in known.items() if value and name in fields and not given.get(name)
    }
