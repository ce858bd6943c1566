"""How text stands in the script of `kubeferry plan --kubectl`: for bash, for people, and for kubectl."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import orjson

from kubeferry.tasks.core.jsondoc.printable import one_line

if TYPE_CHECKING:
    from kubeferry.tasks.core.kube.objects import Ref


def heredoc(text: str) -> str:
    """Return a text as a quoted here-document, in which nothing means anything to bash and no line is its end."""
    mark = "KUBEFERRY"
    while mark in text.split("\n"):
        mark += "_"
    return f"<<'{mark}'\n{text}\n{mark}\n"


def identity(ref: Ref, api_version: str) -> str:
    """Return the JSON by which `kubectl get -f -` finds an object, whatever other kinds have its name."""
    meta = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    return orjson.dumps({"apiVersion": api_version, "kind": ref.kind, "metadata": meta}).decode()


def named(ref: Ref, api_version: str) -> str:
    """Return an object for a person and for kubectl, as two words of bash."""
    return shlex.join([one_line(str(ref)), identity(ref, api_version)])
