"""Turn command-line values into the options of a flow; an invalid value is a usage error that names the option.

The table of options refers to these functions. They import pydantic only when they use it, since it would slow down
`--help`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound="BaseModel")

CRON = "[FLOW=]CRON, as '0 2 * * *' or 'verify=0 4 * * *'"

ARGUMENTS = {
    "existing_kinds": "--existing",
    "namespaces": "NAMESPACE",
    "backup": "BACKUP",
    "identities": "--identity",
    "allow_sources": "--allow-source",
}
"""Fields that have another name on the command line; the others have an option of the same name."""

NAME = "a name has lower-case letters, digits and '-' only, and begins and ends with a letter or digit"
FORMS = {
    "deployment": "write FLOW/NAME of a deployment, such as migrate-namespace/on-demand",
    "expect": "write the digest that --dry-run prints, of 64 hexadecimal digits",
    "notify": "write TYPE/NAME of a Prefect block, such as slack-webhook/operators",
    "lock_until": "write a duration, such as 30d, or a day or time in UTC, such as 2027-01-31 or 2027-01-31T12:00Z",
    "ttl": "write a duration, such as 30d, 12h, 2w, 6mo or 1y (m is ambiguous)",
}
"""Field with a pattern of its own → what to write; the pattern of all others is a name's."""


def options(model: type[M], **values: Any) -> M:
    """Return the options of a flow.

    Raises:
        UsageError: a value is invalid.
    """
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        raise UsageError(_line(error.errors(include_url=False, include_context=False)[0])) from None


def words(given: list[str]) -> list[str]:
    """Return the words of an option that may be repeated, each of which may be several, with commas."""
    return [word.strip() for each in given for word in each.split(",") if word.strip()]


def bundle(mode: str, none: bool) -> str:  # noqa: FBT001 - a parser gets all values by position
    """Return the mode of a restore's bundle, with `--no-bundle` as one of them."""
    return "none" if none else mode


def on_failure(mode: str, no_rollback: bool) -> str:  # noqa: FBT001 - a parser gets all values by position
    """Return what is done when a restore fails, with `--no-rollback` as one of the modes."""
    return "stop" if no_rollback else mode


def _line(error: ErrorDetails) -> str:
    from kubeferry.tasks.core.models.secret_free import UNQUOTED

    if not error["loc"]:  # options that contradict each other
        return error["msg"].removeprefix("Value error, ")
    field = str(error["loc"][0])
    option = ARGUMENTS.get(field, "--" + field.replace("_", "-"))
    if error["type"] == UNQUOTED:
        return f"{option}: {error['msg']}"
    if error["type"] == "too_short":
        return f"{option}: give at least one"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":  # pydantic's own message is a regular expression
        message = FORMS.get(field, NAME)
    return f"{option} {str(error['input'])[:80]!r}: {message}"


def modes(given: Iterable[str]) -> dict[str, Any]:
    """Return the fields `existing` and `existing_kinds` of --existing: MODE, and KIND=MODE for single kinds.

    Raises:
        UsageError: two modes for all kinds, or for one.
    """
    words = list(given)
    whole = sorted({word for word in words if "=" not in word})
    if len(whole) > 1:
        raise UsageError(f"--existing: {' and '.join(whole)} cannot both be done with all kinds; write KIND=MODE")
    form = "MODE, or KIND=MODE for one kind, such as secrets=skip"
    kinds = pairs((word for word in words if "=" in word), "--existing", form)
    return ({"existing": whole[0]} if whole else {}) | {"existing_kinds": kinds}


def pairs(
    given: Iterable[str], option: str = "--map", form: str = "SRC=DST, the old name of a namespace and the new one"
) -> dict[str, str]:
    """Return LEFT=RIGHT pairs as a mapping.

    Raises:
        UsageError: a value is no such pair, or one left side has two right sides.
    """
    found: dict[str, str] = {}
    for each in given:
        source, equals, target = each.partition("=")
        if not (source and equals and target):
            raise UsageError(f"{option} {each[:80]!r}: write {form}")
        if found.setdefault(source, target) != target:
            raise UsageError(f"{option}: {source} cannot become both {found[source]} and {target}")
    return found


def policies(given: Iterable[str]) -> dict[str, str]:
    """Return class → policy, for when the target has no value of that class.

    Raises:
        UsageError: a value is no such pair, or one class has two policies.
    """
    return pairs(given, "--absent", "CLASS=POLICY, as uid=drop")


def rules(given: Iterable[str]) -> dict[str, str]:
    """Return rule of `kubeferry prune` → its number or age.

    Raises:
        UsageError: a value is no such pair, or one rule is given twice.
    """
    return pairs(given, "--keep", "RULE=NUMBER, as daily=7, or within=AGE, as within=30d")


def crons(given: Iterable[str]) -> dict[str, str]:
    """Return flow → cron expression; one without a flow is the backup's.

    Raises:
        UsageError: a value is no such pair, or one flow has two expressions.
    """
    return pairs((each if "=" in each else f"backup={each}" for each in given), "--cron", CRON)


def span(text: str, option: str) -> str:
    """Return a span of time, unchanged.

    Raises:
        UsageError: it is invalid; the error names the option.
    """
    from kubeferry.tasks.core.jsondoc.duration import Span

    try:
        if text:
            Span.parse(text)
    except UsageError as error:
        raise UsageError(f"{option} {error}") from None
    return text


TOOLS = ("helm",)
"""The names of `deployments.sandbox.build.TOOLS`, whose import would take time; a test compares them."""


def tools(given: list[str]) -> list[str]:
    """Return the names of tools to build.

    Raises:
        UsageError: one is not known.
    """
    for each in given:
        if each not in TOOLS:
            raise UsageError(f"--with {each}: there is {', '.join(TOOLS)}")
    return given


def chosen(namespaces: Sequence[str], selector: str, every: bool) -> Sequence[str]:  # noqa: FBT001 - a value of the command line
    """Return the namespaces that are named.

    Raises:
        UsageError: none are named or chosen in another way.
    """
    if not (namespaces or selector or every):
        raise UsageError("name a NAMESPACE to back up, or choose some with --namespace-selector or --all-namespaces")
    return namespaces


def paths(given: Iterable[Path]) -> list[str]:
    """Return paths as text, which can be stored with a run."""
    return [str(path) for path in given]


def optional(text: str) -> str | None:
    """Return a value, None if it is empty."""
    return text or None


def absolute(path: str) -> str:
    """Return an absolute path, which means the same to a worker in another folder."""
    from pathlib import Path

    return str(Path(path).expanduser().absolute()) if path else ""
