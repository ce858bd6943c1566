"""Objects of a sound tarball that are no objects: wrong JSON, wrong types, deep, huge, twice."""

import orjson
from tests.faults.hostile import config
from tests.faults.hostile_tables import body, changed

NO_OBJECT = "holds no Kubernetes object"

for what, data in {
    "no JSON": b"{",
    "no bytes of JSON": b"",
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":-Infinity}',
    "a huge float": b'{"a":1e999}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "bytes that are no text": b'{"a":"\xff"}',
    "half a surrogate pair": rb'{"a":"\ud800"}',
    "two documents": b"{}{}",
    "a comment": b"{}//",
    "100,000 brackets": b"[" * 100_000,
    "100,000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
}.items():
    body(what, "web.json is not JSON", lambda _, data=data: data)
for what, value in {
    "a list": [],
    "a text": "x",
    "a number": 7,
    "null": None,
    "a flag": True,
    "an empty map": {},
}.items():
    body(f"{what} for an object", NO_OBJECT, lambda _, value=value: value)


def more(text):
    """A ConfigMap with one field more, as it is written."""
    return lambda ns: orjson.dumps(config(ns))[:-1] + b"," + text + b"}"


def deep(levels):
    return more(b'"x":' + b"[" * levels + b"]" * levels)


body("201 levels", "nested deeper than 200 levels", deep(200))
body("300 levels", "nested deeper than 200 levels", deep(300))
body("900 levels", "nested deeper than 200 levels", deep(900))
body(
    "an integer of 30 digits",
    "more than 64 bits",
    lambda ns: orjson.dumps(config(ns))[:-1] + b',"x":' + b"9" * 30 + b"}",
)
body(
    "an integer of 5000 digits", "is not JSON", lambda ns: orjson.dumps(config(ns))[:-1] + b',"x":' + b"9" * 5000 + b"}"
)
body("a key twice", "a duplicate key", more(b'"kind":"Secret"'))
body("metadata twice", "a duplicate key", more(b'"metadata":{"name":"web","namespace":"kube-system"}'))

WRONG = {"a text": "x", "a number": 7, "a flag": True, "a list": ["x"], "a map": {"k": [1]}}
FIELDS = {
    "labels": "a map of other things",
    "annotations": "a map of other things",
    "ownerReferences": "a list of other things",
    "finalizers": "a list",
    "managedFields": "a list of other things",
    "uid": "a text",
    "resourceVersion": "a text",
    "creationTimestamp": "a text",
    "deletionTimestamp": "a text",
    "generateName": "a text",
    "selfLink": "a text",
    "generation": "a number",
}
for meta, right in FIELDS.items():
    for what, value in WRONG.items():
        if what != right:
            body(f"metadata.{meta} as {what}", f"'metadata/{meta}", changed(("metadata", meta), value))
for what, value in WRONG.items():
    body(f"metadata as {what}", NO_OBJECT, changed(("metadata",), value))
    body(f"apiVersion as {what}", NO_OBJECT, changed(("apiVersion",), value if value != "x" else "/x"))
    body(f"kind as {what}", NO_OBJECT, changed(("kind",), value if value != "x" else "-x"))
    if what != "a text":
        body(f"the name as {what}", NO_OBJECT, changed(("metadata", "name"), value))
        body(f"the namespace as {what}", NO_OBJECT, changed(("metadata", "namespace"), value))
    body(f"data as {what}", "'data", changed(("data",), value))
for what, value in {"null": None, **{key: each for key, each in WRONG.items() if key != "a map"}}.items():
    body(f"spec as {what}", "'spec'", changed(("spec",), value))
for what, value in {"a number": 1, "null": None, "a list": [], "a map": {}}.items():
    body(f"a label that is {what}", "'metadata/labels/k'", changed(("metadata", "labels"), {"k": value}))
    body(
        f"an annotation that is {what}", "'metadata/annotations/k'", changed(("metadata", "annotations"), {"k": value})
    )
for what, value in {
    "without uid": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"},
    "with a number": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": 1},
    "with a path": {"apiVersion": "v1", "kind": "ConfigMap", "name": "../a", "uid": "u"},
    "with a text as flag": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u", "controller": "true"},
}.items():
    body(f"an owner {what}", "owner", changed(("metadata", "ownerReferences"), [value]))
