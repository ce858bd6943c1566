"""Measure how long commands take to begin and to end: `python tests/bench/bench_start.py [--json FILE]`.

Each row is a whole process, beside a bare interpreter (`python -c pass`): the median of its CPU (its own, of all
threads), that of its clock, and that as a multiple of the bare one. Rows are run in turn, so that a busy machine slows
all of them. The namespace has ten objects; the store is a folder, and the local Prefect server is up. It
asserts nothing. `KUBEFERRY_TEST_SANDBOX=HOME` uses a sandbox that runs already, and its Prefect server.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import document
from tests.bench.measure import A, B, Taken, clusters, prefect, process

from kubeferry.tasks.ports.cluster.client import connect

NAMESPACE = f"bench-start-{os.getpid()}"
BARE = "python -c pass"
KUBEFERRY = (sys.executable, "-c", "from kubeferry.flows.cli import main; main()")


def main() -> None:
    """Make a small namespace, run each row some times in turn, print, delete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each row")
    document.option(parser)
    args = parser.parse_args()
    with clusters():
        os.environ.pop("KUBEFERRY_STORE")  # that of the user is a folder
        try:
            found = _measured(args.runs)
        finally:
            _delete()
    print(f"{'':34}{'CPU s':>8}{'clock s':>9}{'x bare':>8}")
    for row in found:
        print(f"{row.what:34}{row.cpu:8.3f}{row.median:9.3f}{row.ratio:8.1f}")
    if args.json:
        document.save("start", found, args.json)


def _measured(runs: int) -> list[document.Row]:
    prefect()
    _make()
    process(*KUBEFERRY, "backup", NAMESPACE, "--context", A, "--name", NAMESPACE)
    taken: dict[str, list[Taken]] = {}
    for turn in range(runs):
        for name, argv in _rows(turn).items():
            taken.setdefault(name, []).append(process(*argv, fine=(0, 3)))  # doctor: partial
    bare = [each.seconds for each in taken[BARE]]
    return [
        document.Row(name, 1, "process", [each.seconds for each in found], BARE, bare, _cpu(found))
        for name, found in taken.items()
    ]


def _cpu(found: list[Taken]) -> float:
    return statistics.median(each.cpu for each in found)


def _rows(turn: int) -> dict[str, tuple[str, ...]]:
    commands = {
        "kubeferry --help": ("--help",),
        "kubeferry backup --help": ("backup", "--help"),
        "kubeferry --version": ("--version",),
        "kubeferry list": ("list",),
        "kubeferry show": ("show", NAMESPACE),
        "kubeferry verify": ("verify", NAMESPACE),
        "kubeferry plan": ("plan", NAMESPACE),
        "kubeferry plan -o json": ("plan", NAMESPACE, "-o", "json"),
        "kubeferry diff": ("diff", NAMESPACE, "--context", A),
        "kubeferry doctor": ("doctor", "--context", A),
        "kubeferry server status": ("server", "status"),
        "kubeferry sandbox status": ("sandbox", "status"),
        "kubeferry backup": ("backup", NAMESPACE, "--context", A, "--name", f"{NAMESPACE}-{turn}"),
        "kubeferry restore": ("restore", NAMESPACE, "--context", B, "--map", f"{NAMESPACE}={NAMESPACE}-{turn}"),
    }
    rows = {
        BARE: (sys.executable, "-c", "pass"),
        "import typer": (sys.executable, "-c", "import typer"),
        "import typer.rich_utils": (sys.executable, "-c", "import typer.rich_utils"),
        "import pydantic and a model": (sys.executable, "-c", "from pydantic import BaseModel, Field"),
        "import prefect": (sys.executable, "-c", "from prefect import flow, task"),
        "import kubeferry.flows.backup": (sys.executable, "-c", "import kubeferry.flows.backup"),
    }
    return rows | {name: (*KUBEFERRY, *words) for name, words in commands.items()}


def _make() -> None:
    cluster = connect(A)
    kinds = cluster.discover()
    of_core = {"apiVersion": "v1"}
    cluster.create(kinds.by_kind("", "Namespace"), "", of_core | {"kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for number in range(5):
        for kind, more in (("ConfigMap", {"data": {"a": "b"}}), ("Secret", {"stringData": {"a": "b"}})):
            body = of_core | more | {"kind": kind, "metadata": {"name": f"one-{number}"}}
            cluster.create(kinds.by_kind("", kind), NAMESPACE, body)


def _delete() -> None:
    for context in (A, B):
        cluster = connect(context)
        kind = cluster.discover().by_kind("", "Namespace")
        for each in cluster.list(kind, ""):
            name = each["metadata"]["name"]
            if name.startswith(NAMESPACE):
                cluster.request("DELETE", f"{kind.path('')}/{name}")


if __name__ == "__main__":
    main()
