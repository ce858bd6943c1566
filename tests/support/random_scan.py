"""Look for values of a cluster in every string, with no thought about places: as a person would with grep."""

import base64
import re

TOKEN = re.compile(
    r"(?<!\w)(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{1,3}(?:\.\d{1,3}){3})(?!\w)"
)


def old_values(found):
    """Return every address and uid that a cluster has handed out."""
    values = set()
    for obj in (each for namespace in found.namespaces.values() for each in namespace.values()):
        values.add(obj["metadata"]["uid"])
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        if obj["kind"] == "Service":
            values |= {*spec.get("clusterIPs", [])}
        if obj["kind"] == "Pod":
            values |= {each["ip"] for each in [*status.get("podIPs", []), *status.get("hostIPs", [])]}
        if obj["kind"] == "Node":
            values |= {each["address"] for each in status["addresses"]}
    return values - {"None"}


def texts(value, encoded=()):
    """Yield each string below a value, keys too, base64 decoded below the keys of `encoded`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts(item)
            if key in encoded:
                yield from (base64.b64decode(each).decode(errors="replace") for each in (item or {}).values())
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def found_in(obj, values):
    """Return how many strings an object has, and each use of `values` with its string."""
    strings = list(texts(obj, {"data", "binaryData"} if obj["kind"] == "Secret" else {"binaryData"}))
    return len(strings), [(each, text) for text in strings for each in TOKEN.findall(text) if each in values]
