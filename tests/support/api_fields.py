"""The fields of the API that may name an object, from the schemas that an API server serves.

A field is taken by its own name and description only, and no table of references is read: a string whose key ends in
`name`, or of which the description says that it is a name or refers to something. Most are no references (ports,
commands with variables); which are not, and why, a person has to say. After a new version of Kubernetes:

    python -m tests.support.api_fields KUBECONFIG CONTEXT
"""

import re
import sys
from pathlib import Path

from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.ports.cluster.client import connect

FILE = Path(__file__).parents[1] / "data" / "api" / "fields.txt"

KEY = re.compile(r"(^n|N)ames?$|Ref$|Secret$")
TEXT = re.compile(r"\bnames?\b|\brefer", re.IGNORECASE)
PARTS = {"apiVersion", "apiGroup", "kind", "uid", "resourceVersion", "fieldPath", "namespace"}
"""Keys of references that are not the name."""
META = {"ObjectMeta", "ManagedFieldsEntry", "OwnerReference"}
EMBEDDED = {"PodSpec"}
"""Schemas that many kinds have: their fields stand in the file once."""


def facts(cluster):
    """Return the lines: `GROUP KIND PATH SCHEMA.PROPERTY`; where an embedded schema is, `GROUP KIND PATH <SCHEMA>`."""
    versions = {each.api_version for each in cluster.discover().types if is_built_in(each.group)}
    documents = [cluster.schemas(version) for version in sorted(versions)]
    return sorted({line for each in documents for line in _of(each["components"]["schemas"])})


def _of(schemas):
    for name, schema in schemas.items():
        kinds = schema.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1 and "metadata" in schema.get("properties", {}) and not kinds[0]["kind"].endswith("List"):
            group, kind = kinds[0]["group"] or "core", kinds[0]["kind"]
            yield from (f"{group} {kind} {rest}" for rest in _fields(schemas, name, "", frozenset()))
        if name.rpartition(".")[2] in EMBEDDED:
            short = name.rpartition(".")[2]
            yield from (f"- {short} {rest}" for rest in _fields(schemas, name, "", frozenset()))


def _fields(schemas, name, at, seen):
    short = name.rpartition(".")[2]
    if name in seen or short in META:
        return
    if short in EMBEDDED and at:
        yield f"{at} <{short}>"
        return
    for key, schema in schemas[name].get("properties", {}).items():
        if at or key not in ("metadata", "status"):
            yield from _field(schemas, schema, f"{at}.{key}".lstrip("."), (short, key), seen | {name})


def _field(schemas, schema, at, place, seen):
    inner, text = schema, schema.get("description", "")
    while inner.get("type") == "array":
        inner, at = inner.get("items", {}), f"{at}[]"
    inner = inner["allOf"][0] if len(inner.get("allOf", ())) == 1 else inner
    if "$ref" in inner:
        yield from _fields(schemas, inner["$ref"].rpartition("/")[2], at, seen)
    elif inner.get("type") == "string" and not inner.get("format") and place[1] not in PARTS:
        yield from [f"{at} {place[0]}.{place[1]}"] if KEY.search(place[1]) or TEXT.search(text) else []


if __name__ == "__main__":
    FILE.write_text("\n".join(facts(connect(sys.argv[2], sys.argv[1]))) + "\n")
