"""Which namespaces a user selects: by name, by label, and minus those to exclude, with shell wildcards.

Names and labels add up, then exclusions apply; no option means all. A name that does not exist is refused, with those
that do: a typing error must not silently make a restore smaller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.manifest import named
from kubeferry.tasks.core.kube.label_selectors import parse_selector, selects
from kubeferry.tasks.core.selection.selector import WILD, is_like

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.models.options import BackupOptions, Selection

MOST = 10
"""Most namespaces that an error lists."""


def choose_namespaces(there: Mapping[str, Mapping[str, str]], asked: Selection, where: str) -> frozenset[str]:
    """Return the selected namespaces; `there` are all of them with their labels, `where` names the backup.

    Raises:
        UsageError: one does not exist, a selector matches none or cannot be read, or none remains.
    """
    for name in sorted(set(asked.namespaces) - there.keys()):
        raise UsageError(f"{where} holds no namespace {name}; {_held(there)}")
    chosen = set(asked.namespaces)
    if asked.namespace_selector:
        wanted = parse_selector(asked.namespace_selector)
        labelled = {name for name, labels in there.items() if selects(wanted, labels)}
        if not labelled:
            raise UsageError(f"no namespace of {where} matches {asked.namespace_selector!r}; {_held(there)}")
        chosen |= labelled
    elif not asked.namespaces:
        chosen = set(there)
    return frozenset(without(chosen, asked.exclude_namespace, where))


def asked_for(options: BackupOptions) -> str:
    """Return in one line which namespaces a backup is asked for, whatever there is: by it, prune knows a series."""
    parts = [named(options.namespaces)] if options.namespaces else []
    parts += [f"namespaces with {''.join(options.namespace_selector.split())}"] if options.namespace_selector else []
    parts += ["all namespaces"] if options.all_namespaces else []
    excluded = ", ".join(sorted(set(options.exclude_namespace)))
    return " and ".join(parts) + (f" except {excluded}" if excluded else "")


def is_system(name: str) -> bool:
    """Return whether a namespace is one of Kubernetes' own: the prefix `kube-` is reserved (kubernetes.io)."""
    return name.startswith("kube-")


def without(names: Iterable[str], excluded: Iterable[str], where: str) -> set[str]:
    """Return the names that match no pattern in `excluded`.

    Raises:
        UsageError: there were some, and none remains.
    """
    before, patterns = set(names), list(excluded)
    left = {name for name in before if not any(is_like(name, pattern) for pattern in patterns)}
    if before and not left:
        raise UsageError(f"--exclude-namespace leaves nothing of {where}: {', '.join(sorted(before)[:MOST])} is all")
    return left


def unmatched(there: Iterable[str], excluded: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (option and name, what about it) of namespaces to exclude that do not exist; wildcards may match none."""
    known = set(there)
    for name in sorted(set(excluded) - known):
        if not WILD.search(name):
            yield f"--exclude-namespace {name}", "no namespace has this name, so nothing is excluded by it"


def _held(there: Iterable[str]) -> str:
    names = sorted(there)
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"it holds {', '.join(names[:MOST]) or 'none'}{more}"
