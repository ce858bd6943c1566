"""Write the command that shows the whole plan of a restore, as a person would type it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.models.options import RestoreOptions

FLAGS = {
    "map": "--map",
    "owned": "--owned",
    "modify": "--modify",
    "no_rewrite": "--no-rewrite",
    "absent": "--absent",
    "namespaces": "--namespace",
    "namespace_selector": "--namespace-selector",
    "exclude_namespace": "--exclude-namespace",
    "selector": "--selector",
    "annotation_selector": "--annotation-selector",
    "include": "--include",
    "exclude": "--exclude",
    "include_name": "--include-name",
    "exclude_name": "--exclude-name",
    "only": "--only",
    "identities": "--identity",
}
"""Options of a restore that change its plan, by field, as `kubeferry plan` calls them; a test holds them together."""


def plan_command(options: RestoreOptions, store: str) -> str:
    """Return `kubeferry plan …` for a shell; `store` is the URL that the backup was found under."""
    given: dict[str, Any] = options.model_dump(mode="json", exclude_defaults=True)
    words = [word for field, flag in FLAGS.items() if field in given for word in _words(flag, given[field])]
    return shlex.join(["kubeferry", "plan", options.backup, *words, "--store", store])


def _words(flag: str, value: Any) -> Iterator[str]:
    if value is True:
        yield flag
    elif flag == FLAGS["modify"]:
        yield from (flag, "FILE")  # a person has it in a file
    elif isinstance(value, dict):
        yield from (word for old, new in value.items() for word in (flag, f"{old}={new}"))
    elif isinstance(value, list):
        yield from (word for each in value for word in (flag, each))
    else:
        yield from (flag, str(value))
