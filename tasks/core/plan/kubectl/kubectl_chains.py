"""A chain of look-ups as commands of the script: kubectl's queries in place of chain_pick.py.

`from Deployment.apps shop web && newest ReplicaSet.apps && pod 0 2 && value …`: each step finds one object by the uid
of the one before, never by labels, and the last one reads a value. They fail while something is not there yet.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import EACH, Path
from kubeferry.tasks.core.lookup.steps import READS, Named, Newest, Nodes, Pods, Read, Start, Step

if TYPE_CHECKING:
    from kubeferry.tasks.core.lookup.chain import Chain


def typed(group: str, kind: str) -> str:
    """Return a kind as kubectl takes it without taking it for another's: `Pod.v1.`, `Deployment.apps`."""
    return f"{kind}.{group}" if group else f"{kind}.v1."


def followed(chain: Chain) -> str:
    """Return the script's function that follows a chain."""
    return f"chain() {{ {' && '.join(_command(step) for step in chain.steps)}; }}\n"


def begun(chain: Chain, *, comes: bool) -> str:
    """Return the script's function that tells whether a chain can ever be followed: what it begins with is there.

    Args:
        chain: the chain.
        comes: whether the script itself creates that.
    """
    return f"begins() {{ {':' if comes else _command(chain.steps[0])}; }}\n"


def _command(step: Step) -> str:
    match step:
        case Start(ref):
            words = ["find", typed(ref.group, ref.kind), ref.namespace, ref.name]
        case Named(name):
            words = ["named", name]
        case Newest(group, kind):
            words = ["newest", typed(group, kind)]
        case Pods(ordinal, of):
            words = ["pod", str(ordinal), str(of)]
        case Nodes(name, roles, ordinal):
            words = ["node", name, str(ordinal), " ".join(roles)]
        case Read("path", path=path):
            words = ["field", "{" + "".join(_key(key) for key in path) + "}"]
        case Read(what, family, index):
            words = ["value", jsonpath(what), family, str(index)]
    return shlex.join(words)


def _key(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    escaped = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def jsonpath(what: str) -> str:
    """Return a template that prints the values of READS, one a line."""
    if what == "nodeAddress":
        return '{range .status.addresses[?(@.type!="Hostname")]}{.address}{"\\n"}{end}'
    return "".join(_lines(path) for path in READS[what])


def _lines(path: Path) -> str:
    if EACH not in path:
        return "{" + "".join(f".{key}" for key in path) + '}{"\\n"}'
    at = path.index(EACH)
    rest = path[at + 1 :]
    inner = _lines(rest) if rest else '{@}{"\\n"}'
    return "{range " + "".join(f".{key}" for key in path[:at]) + "[*]}" + inner + "{end}"
