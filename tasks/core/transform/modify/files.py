"""Read files of modifications (Kubeferry's YAML or Velero's format) and of namespaces with parameters.

Namespaces come as YAML or CSV. In CSV a column is a parameter: `name`, `replicas` (of all) or `replicas.web`, `host`
(of all) or `hosts.a.example.com`, `labels.team`, `annotations.owner`, and `rules` as JSON; an empty cell sets nothing.
"""

from __future__ import annotations

import csv
import io
from typing import Any, TypeVar

import orjson
import yaml
from pydantic import BaseModel, ValidationError

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.modifications import Modifications
from kubeferry.tasks.core.models.options_migration import Into
from kubeferry.tasks.core.models.rewriting import RULES, RewriteRule
from kubeferry.tasks.core.transform.modify.velero import is_velero, velero_rules

M = TypeVar("M", bound=BaseModel)

MOST = 2**20
"""Most bytes of such a file."""

COLUMNS = {"replicas": "replicas", "host": "hosts", "hosts": "hosts", "label": "labels", "labels": "labels"} | {
    "annotation": "annotations",
    "annotations": "annotations",
}
"""Columns, or their part before the first dot → the parameter that they set."""


def read_modifications(text: str, file: str) -> Modifications:
    """Return the modifications of a file, in Kubeferry's or Velero's format.

    Raises:
        UsageError: it cannot be read; the message names the file and the field.
    """
    found = _yaml(text, file)
    if not isinstance(found, dict):
        raise UsageError(f"{file} holds no modifications: it is not a map")
    try:
        return Modifications(rules=velero_rules(found)) if is_velero(found) else Modifications.model_validate(found)
    except ValidationError as error:
        raise UsageError(f"{file}: {_first(error)}") from None
    except (UsageError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {_line(error)}") from None


def read_rewrite_rules(text: str, file: str) -> list[RewriteRule]:
    """Return the rules of a file of --rewrite-rules.

    Raises:
        UsageError: it cannot be read; the message names the file and the field.
    """
    try:
        return RULES.validate_python(_yaml(text, file))
    except ValidationError as error:
        raise UsageError(f"{file}: {_first(error)}") from None


def read_into(text: str, file: str) -> list[Into]:
    """Return the namespaces to create from a file: CSV by its name, else YAML (a list, or under `namespaces`).

    Raises:
        UsageError: it cannot be read; the message names the file and the place.
    """
    rows: Any = _rows(text, file) if file.lower().endswith((".csv", ".tsv")) else _yaml(text, file)
    if isinstance(rows, dict) and rows.keys() == {"namespaces"}:
        rows = rows["namespaces"]
    if not isinstance(rows, list) or not rows:
        raise UsageError(f"{file} lists no namespaces")
    maps = ({"name": row} if isinstance(row, str) else row for row in rows)
    return [_into(row, f"{file}: namespace {n}") for n, row in enumerate(maps, start=1)]


def _into(row: Any, where: str) -> Into:
    try:
        return Into.model_validate(row)
    except ValidationError as error:
        raise UsageError(f"{where}: {_first(error)}") from None


def _rows(text: str, file: str) -> list[dict[str, Any]]:
    header = text.partition("\n")[0]
    apart = max(",;\t", key=header.count)
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=apart))
    if not rows:
        return []
    columns = [each.strip() for each in rows[0]]
    return [_row(columns, row, f"{file}: line {n}") for n, row in enumerate(rows[1:], start=2) if any(row)]


def _row(columns: list[str], cells: list[str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if len(cells) > len(columns):
        raise UsageError(f"{where} has more cells than the header")
    for column, cell in zip(columns, cells, strict=False):
        word, _, key = column.partition(".")
        value = cell.strip()
        if column in ("name", "namespace"):
            found["name"] = value
        elif column == "rules":
            found |= {"rules": _json(value, where)} if value else {}
        elif word in COLUMNS and (key or word in ("replicas", "host", "hosts")):
            found.setdefault(COLUMNS[word], {}).update({key or "*": value} if value else {})
        else:
            raise UsageError(f"{where}: there is no parameter {column[:80]!r}")
    return found


def _json(text: str, where: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UsageError(f"{where}: rules are not JSON") from None


def _yaml(text: str, file: str) -> Any:
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise UsageError(f"{file} is not YAML: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    place = "/".join(str(part) for part in first["loc"])[:200]
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
