"""Rename inside Helm's own record of a release, on which `helm upgrade` and `helm uninstall` rely.

Helm records what it installed in a Secret (or a ConfigMap): the namespace, the user's values, the rendered manifests.
If the record were not renamed, an upgrade of the clone would treat the objects of the old namespace as its own and
delete them. So the namespace, each object of the manifests (by the same rules as the objects themselves) and the names
in the values are rewritten; the chart, the same wherever it is installed, stays. A record that cannot be read, or that
unpacks to more than a real one may, stays unchanged, and is reported: whoever may write a Secret may write 37 kB that
unpack to 64 MiB. Source: helm.sh/helm/v3/pkg/storage/driver (`encodeRelease`): base64 of gzip of JSON, and a Secret's
base64 around it.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.jsondoc.encoding import is_deep
from kubeferry.tasks.core.jsondoc.yaml_text import documents, edited
from kubeferry.tasks.core.kube.objects import labels_of, type_of
from kubeferry.tasks.core.kube.strings import decoded, put, walk
from kubeferry.tasks.core.transform.rename.classes import Case, Hit
from kubeferry.tasks.core.transform.rename.dns_names import replaced
from kubeferry.tasks.core.transform.rename.texts.shapes import visit
from kubeferry.tasks.core.transform.rename.texts.text import in_text, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object, Place

PLACE = ("data", "release")
LEAST, MOST, RATIO = 256 << 10, 16 << 20, 40
"""Bytes of a release's JSON that are read in any case, and at most; and how many times as many as are stored. Charts
compress 5 to 20 times. So the work that a namespace makes grows with what it stores."""

DOCUMENTS = 2_000
"""Most YAML documents of a release: each costs a parse, however small it is."""

UNREAD = "the record of a release is none that can be read: the names in it stay"
TOO_LARGE = "the record of a release unpacks to more than one that Helm writes: the names in it stay"

_MARKER = re.compile(r"^---", re.MULTILINE)
_GZIP = b"\x1f\x8b"
_LINE = re.compile(r"^([ \t]*(?:- +)?namespace:[ \t]+)([\"']?)([a-z0-9-]+)\2(?=[ \t]*\r?$)", re.MULTILINE)


def release(obj: Object, case: Case, renamed: Callable[[Object], Object]) -> tuple[list[Hit], str]:
    """Return the record of a release as one hit, and why it is not rewritten, "" if it is or `obj` is none.

    `renamed` renames the objects in it.
    """
    text = _record(obj)
    if text is None:
        return [], ""
    try:
        record = _read(text)
    except _TooLargeError:
        return [], TOO_LARGE
    if record is None:
        return [], UNREAD
    new = _renamed(record, case, renamed)
    if new == record:
        return [], ""
    old = str(record.get("namespace", ""))
    value = _written(new, zipped=base64.b64decode(text).startswith(_GZIP))
    secret = type_of(obj) == ("", "Secret")
    value = base64.b64encode(value.encode()).decode() if secret else value
    return [Hit(PLACE, "helm", old, case.names.get(old, old), value)], ""


class _TooLargeError(Exception):
    """A record unpacks to more than is read."""


def recorded_release(obj: Object) -> dict[str, Any] | None:
    """Return the release that an object records: name, version, chart, config and so on; None if it is no record."""
    text = _record(obj)
    try:
        return _read(text) if text else None
    except _TooLargeError:
        return None


def is_release(obj: Object) -> bool:
    """Return whether an object has the record of a release."""
    return _record(obj) is not None


def _record(obj: Object) -> str | None:
    """Return Helm's data, if `obj` is a release record."""
    kept = (obj.get("data") or {}).get("release") if isinstance(obj.get("data"), dict) else None
    if type_of(obj) == ("", "Secret") and obj.get("type") == "helm.sh/release.v1":
        return decoded(kept)
    by_helm = type_of(obj) == ("", "ConfigMap") and labels_of(obj).get("owner") == "helm"
    return kept if by_helm and isinstance(kept, str) else None


def _read(text: str) -> dict[str, Any] | None:
    try:
        data = base64.b64decode(text, validate=True)
        if data.startswith(_GZIP):
            unzip = zlib.decompressobj(wbits=31)
            room = min(MOST, max(LEAST, RATIO * len(data)))
            data = unzip.decompress(data, room)
            if not unzip.eof and len(data) >= room:
                raise _TooLargeError
        record = json.loads(data)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or is_deep(record):
        return None
    if sum(len(_MARKER.findall(text)) for text in _manifests(record)) > DOCUMENTS:
        raise _TooLargeError
    return record


def _manifests(record: dict[str, Any]) -> Iterator[str]:
    hooks = record.get("hooks") if isinstance(record.get("hooks"), list) else []
    for each in [record, *(hook for hook in hooks or () if isinstance(hook, dict))]:
        if isinstance(each.get("manifest"), str):
            yield each["manifest"]


def _written(record: dict[str, Any], *, zipped: bool) -> str:
    data = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    return base64.b64encode(gzip.compress(data, mtime=0) if zipped else data).decode()


def _renamed(record: dict[str, Any], case: Case, renamed: Callable[[Object], Object]) -> dict[str, Any]:
    new = {**record}
    if isinstance(record.get("namespace"), str):
        new["namespace"] = case.names.get(record["namespace"], record["namespace"])
    if isinstance(record.get("manifest"), str):
        new["manifest"] = _manifest(record["manifest"], case, renamed)
    if isinstance(record.get("hooks"), list):
        new["hooks"] = [
            {**hook, "manifest": _manifest(hook["manifest"], case, renamed)}
            if isinstance(hook, dict) and isinstance(hook.get("manifest"), str)
            else hook
            for hook in record["hooks"]
        ]
    return _with_values(new, case)


def _with_values(record: dict[str, Any], case: Case) -> dict[str, Any]:
    """Return a record with the namespaces in the user's values renamed: as in a custom resource, and in texts."""
    if not isinstance(record.get("config"), dict):
        return record
    new: dict[Place, Any] = {hit.at: hit.value for hit in visit(record["config"], ("config",), case)}
    for leaf in walk(record["config"], ("config",)):
        found = in_text(leaf.text, case, key_of(record, leaf.at)) if leaf.at not in new else []
        if found:
            new[leaf.at] = replaced(leaf.text, found, case.names)
    return put(record, new)


def _manifest(text: str, case: Case, renamed: Callable[[Object], Object]) -> str:
    return "---".join(_document(each, case, renamed) for each in documents(text))


def _document(text: str, case: Case, renamed: Callable[[Object], Object]) -> str:
    """Return one object of a manifest renamed; if its text cannot be parsed, at least its lines `namespace: old`."""

    def each(obj: Any) -> Any:
        if isinstance(obj, dict) and isinstance(obj.get("items"), list):  # a List, which has no name
            return {**obj, "items": [renamed(item) if _is_object(item) else item for item in obj["items"]]}
        return renamed(obj) if _is_object(obj) else obj

    new = edited(text, each)
    if new is not None:
        return new
    return _LINE.sub(lambda line: f'{line[1]}"{case.names[line[3]]}"' if line[3] in case.names else line[0], text)


def _is_object(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("metadata"), dict)
        and all(isinstance(value.get(key), str) for key in ("apiVersion", "kind"))
        and isinstance(value["metadata"].get("name"), str)
    )
