"""Time the real Velero against Kubeferry, in one run: `python tests/bench/bench_velero.py`.

Makes a namespace of 5,000 Secrets on a sandbox of its own (`--secrets 31000` is the case of Velero's issue 6845). In
each round each tool saves it to the sandbox's S3 server and restores it under another name on the same cluster: Velero
as it comes, with `--lifted` Velero with its client limits lifted, then Kubeferry, with raw POSTs beside. What is timed
is the command that a person types, until it returns: `velero … --wait`, and `kubeferry …` with its start and Prefect
included. Every restore is counted. It asserts nothing else: `--json FILE` adds the rows to a document.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import document, raw
from tests.bench.bench_secrets import NAMESPACE, POSTS, at
from tests.bench.measure import A, Taken, clusters, command, part, prefect

from kubeferry.deployments.sandbox import processes
from kubeferry.deployments.velero.build import VERSION
from kubeferry.deployments.velero.server import Velero

if TYPE_CHECKING:
    from kubeferry.deployments.sandbox.sandbox import Sandbox

SECRETS = str(Path(__file__).with_name("bench_secrets.py"))
LIFTED = ("--client-qps=10000", "--client-burst=10000")


def main() -> None:
    """Run everything; print a line for each command as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--lifted", action="store_true", help="measure Velero with its client limits lifted, too")
    parser.add_argument(
        "--without-restore", action="store_true", help="leave out Velero's restore: 31,000 take 11 minutes"
    )
    document.option(parser)
    args = parser.parse_args()
    took: dict[str, list[Taken]] = {}
    with clusters(1) as sandbox:
        prefect()
        part(SECRETS, "make", A, NAMESPACE, args.secrets)
        for turn in range(args.rounds):
            for what, found in round_of(sandbox, turn, args):
                took.setdefault(what, []).append(found)
                print(f"{what:40}{found.seconds:8.1f} s{found.cpu:8.1f} s CPU{found.peak:7.0f} MiB", flush=True)
    if args.json:
        document.save("velero", rows(took, args.secrets), args.json, velero=VERSION)


def round_of(sandbox: Sandbox, turn: int, args: argparse.Namespace):
    """Yield what each command of a round took."""
    yield LIST, part(SECRETS, "list")
    for name, options in (("velero", ()), *((("velero, limits lifted", LIFTED),) if args.lifted else ())):
        yield from by_velero(Velero(sandbox, A, options=options), name, turn, args)
    yield from by_kubeferry(turn, args)
    yield POST, part(SECRETS, "post-to", A, f"raw-{turn}", args.secrets)


LIST, POST = "paged LIST by urllib3", POSTS


def rows(took: dict[str, list[Taken]], secrets: int):
    """Yield a row for each command, ours against Velero's with its defaults where that was measured."""
    for what, found in took.items():
        does = what.rpartition(" ")[2]
        theirs, limit = f"velero {does}", {"backup": LIST, "restore": POST}.get(does, "")
        ours = what.startswith("kubeferry") and theirs in took
        beside = theirs if ours else limit
        row = document.Row(what, secrets, "Secrets", [each.seconds for each in found])
        if beside:
            row.against, row.raw = beside, [each.seconds for each in took[beside]]
        median = sorted(found, key=lambda each: each.seconds)[len(found) // 2]
        row.cpu, row.peak = median.cpu, max(each.peak for each in found)
        yield row


def by_velero(velero: Velero, title: str, turn: int, args: argparse.Namespace):
    """Yield what Velero's commands took: the CPU and the peak are its server's."""
    name = f"{title[:6]}-{len(title)}-{turn}"
    velero.up()
    while "Available" not in velero.run("backup-location", "get"):
        time.sleep(0.5)
    saved = ("backup", "create", name, "--include-namespaces", NAMESPACE, "--wait")
    yield f"{title} backup", timed(velero, saved)
    if not args.without_restore:
        mapped = f"--namespace-mappings={NAMESPACE}:{name}"
        yield f"{title} restore", timed(velero, ("restore", "create", name, "--from-backup", name, mapped, "--wait"))
        count(name, args.secrets)
    velero.down()


def by_kubeferry(turn: int, args: argparse.Namespace):
    """Yield what Kubeferry's commands took."""
    name = f"kubeferry-{turn}"
    yield "kubeferry backup", command("backup", NAMESPACE, "--name", name, "--context", A)
    yield "kubeferry restore", command("restore", name, "--map", f"{NAMESPACE}={name}", "--context", A)
    count(name, args.secrets)


def timed(velero: Velero, arguments: tuple[str, ...]) -> Taken:
    """Return what a command of Velero took."""
    cpu, began = _of_server(velero)[0], time.perf_counter()
    velero.run(*arguments, seconds=7200)  # 31,000 Secrets took 52 minutes in its issue 6845
    seconds = time.perf_counter() - began
    after, peak = _of_server(velero)
    return Taken(seconds, after - cpu, peak, {})


def count(namespace: str, secrets: int) -> None:
    """Refuse a restore that is not whole."""
    pages = raw.pages(at(A), f"/api/v1/namespaces/{namespace}/secrets")
    found = sum(page.count(b'"name":"secret-') for page in pages)
    if found != secrets:
        sys.exit(f"{namespace} has {found} Secrets, not {secrets}")


def _of_server(velero: Velero) -> tuple[float, float]:
    """Return its server's seconds of CPU and the peak of its memory in MiB (proc(5): stat, and VmHWM of status)."""
    pid = processes.running(velero.folder / "run" / "velero.json")
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    return (int(words[11]) + int(words[12])) / 100, int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    main()
