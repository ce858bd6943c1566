"""Write the table of merge keys, `kubeferry/tasks/core/kube/schemas/patch_tags.py`, from the schemas of an API server.

After a new version of Kubernetes:

    python -m tests.support.patch_tags KUBECONFIG CONTEXT
"""

import subprocess
import sys
from pathlib import Path

from kubeferry.tasks.core.kube.kinds import is_built_in
from kubeferry.tasks.core.kube.schemas import patch_tags
from kubeferry.tasks.ports.cluster.client import connect

HEAD = '''"""Which lists a strategic merge patch merges, and by which key: the tags of the types of the API.

Made by `python -m tests.support.patch_tags` from the OpenAPI documents (x-kubernetes-patch-strategy, -merge-key) of
Kubernetes. It holds the tagged fields, and the fields on the way to them: what is in no list and has no row is merged
key by key, and a list without a row is replaced.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """How a patch treats a field: the type of its value or items, its strategy, and the key by which items merge."""

    type: str = ""
    strategy: str = ""
    """`merge`, `replace`, or "" for the default: maps are merged, lists are replaced."""
    key: str = ""
    """"" for a list of plain values."""


'''
META = "meta.v1.ObjectMeta"
ROOTS = (
    *("io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.kube-aggregator.pkg.apis."),
    "io.k8s.apiextensions-apiserver.pkg.apis.",
)


def facts(cluster):
    """Return apiVersion → package of its types, and type → field → `Field`, of all that Kubernetes itself serves."""
    versions = {each.api_version for each in cluster.discover().types if is_built_in(each.group)}
    schemas, packages, kinds = {}, {}, set()
    for version in sorted(versions):
        for name, schema in cluster.schemas(version)["components"]["schemas"].items():
            schemas[_short(name)] = {key: _field(each) for key, each in schema.get("properties", {}).items()}
            own = schema.get("x-kubernetes-group-version-kind", [{}])[0]
            served = "/".join(filter(None, (own.get("group"), own.get("version"))))
            if served == version and schemas[_short(name)].get("metadata", patch_tags.Field()).type == META:
                package, _, last = _short(name).rpartition(".")
                assert last == own["kind"], f"the type of {version} {own['kind']} is {name}"
                packages[version] = package
                kinds.add(_short(name))
    tagged = _tagged(schemas)
    types = {name: {key: found for key, found in schemas[name].items() if _is_kept(found, tagged)} for name in tagged}
    types = {
        name: types[name] for name in _reached([each for each in kinds if types[each].keys() > {"metadata"}], types)
    }
    used = {name.rpartition(".")[0] for name in types}
    return {version: each for version, each in packages.items() if each in used}, types


def _short(name):
    for root in ROOTS:
        name = name.removeprefix(root)
    return name


def _field(schema):
    """A `$ref` leads on in a map; in a list only if its items are merged."""
    words = schema.get("x-kubernetes-patch-strategy", "").split(",")
    strategy = next((word for word in words if word in ("merge", "replace")), "")
    inner = schema.get("items", {}) if strategy == "merge" else schema
    inner = inner["allOf"][0] if len(inner.get("allOf", ())) == 1 else inner
    name = _short(inner.get("$ref", "").rpartition("/")[2])
    return patch_tags.Field(name, strategy, schema.get("x-kubernetes-patch-merge-key", ""))


def _tagged(schemas):
    """Return the types that have a field with a tag, somewhere below them."""
    found = set()
    while True:
        more = {name for name, fields in schemas.items() if any(_is_kept(each, found) for each in fields.values())}
        if more == found:
            return found
        found = more


def _is_kept(field, tagged):
    return bool(field.strategy) or field.type in tagged


def _reached(names, types):
    ways, found = [META, *names], set()
    while ways:
        name = ways.pop()
        if name in types and name not in found:
            found.add(name)
            ways += [each.type for each in types[name].values()]
    return sorted(found)


def source(packages, types):
    """Return the module's text, formatted."""
    text = f"{HEAD}PACKAGES: dict[str, str] = {{\n"
    text += "".join(f"    {version!r}: {package!r},\n" for version, package in sorted(packages.items()))
    text += '}\n"""apiVersion → package of the types of its kinds."""\n\n'
    text += f"OBJECT_META = {META!r}\n\nFIELDS: dict[str, dict[str, Field]] = {{\n"
    for name, fields in types.items():
        rows = [
            f"        {key!r}: Field({', '.join(map(repr, _cut(each)))}),\n" for key, each in sorted(fields.items())
        ]
        text += f"    {name!r}: {{\n{''.join(rows)}    }},\n"
    text += '}\n"""Type → field → how it is patched. Other kinds have only metadata, of the type `OBJECT_META`."""\n'
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", patch_tags.__file__, "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout


def _cut(field):
    parts = list(field)
    while parts and not parts[-1]:
        parts.pop()
    return parts


if __name__ == "__main__":
    Path(patch_tags.__file__).write_text(source(*facts(connect(sys.argv[2], sys.argv[1]))))
