"""Time a backup and a restore against the API server itself, in one run: `python tests/bench/bench_secrets.py`.

Makes a namespace of 5,000 Secrets on the sandbox's first cluster, then, each in a process of its own:
raw paged LIST, our backup (Prefect included), raw concurrent POST into a new namespace, our restore (Prefect included),
and the journal of such a restore alone, in a folder and in S3 (its ratio is to the restore: the share that it costs).
Prints each time, the ratio to the raw one, and the peak memory. It asserts nothing: figures go into notes, not tests.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.prefect import server

NAMESPACE = "bench"


def main() -> None:
    """Run everything, or with --part one part, which prints its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print(json.dumps(PARTS[args.part[0]](*args.part[1:])))
        return
    with tempfile.TemporaryDirectory(prefix="kf-") as home:
        os.environ["KUBEFERRY_HOME"] = home
        sandbox = Sandbox(Path(home) / "state" / "sandbox")
        sandbox.up(clusters=2)
        os.environ |= sandbox.env()
        try:
            compare(args.secrets, args.rounds)
        finally:
            server.stop()
            sandbox.down(purge=True)


def compare(secrets: int, rounds: int) -> None:
    """Print the table."""
    os.environ |= server.environment(server.ensure())
    print(f"{os.cpu_count()} cores; {secrets} Secrets; best and median of {rounds} rounds, each in a new process")
    part("make", secrets)
    s3 = os.environ.pop("KUBEFERRY_STORE")
    figures: dict[str, list[dict[str, float]]] = {}
    for turn in range(rounds):
        for name, *arguments in (
            ("list",),
            ("backup", f"bench-{turn}"),
            ("post", f"raw-{turn}"),
            ("restore", f"bench-{turn}", f"ours-{turn}"),
            ("journal", f"ours-{turn}", secrets, ""),
            ("journal-s3", f"ours-{turn}", secrets, s3),
        ):
            figures.setdefault(name, []).append(part(name, *arguments))
    print(f"{'':10}{'best s':>10}{'median s':>10}{'x raw':>8}{'peak MiB':>10}")
    ratios = (("list", "list"), ("backup", "list"), ("post", "post"), ("restore", "post"))
    for name, raw in (*ratios, ("journal", "restore"), ("journal-s3", "restore")):
        times = [each["seconds"] for each in figures[name]]
        base = statistics.median(each["seconds"] for each in figures[raw])
        ratio = statistics.median(times) / base
        peak = max(each["mib"] for each in figures[name])
        print(f"{name:10}{min(times):10.2f}{statistics.median(times):10.2f}{ratio:8.2f}{peak:10.0f}")


def part(name: str, *arguments: object) -> dict[str, float]:
    """Run one part in a process of its own, so that each has its own peak of memory."""
    argv = [sys.executable, __file__, "--part", name, *map(str, arguments)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def figures(started: float) -> dict[str, float]:
    """Return seconds since `started` and this process' peak of memory in MiB."""
    return {
        "seconds": time.perf_counter() - started,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def make(secrets: str) -> dict[str, float]:
    """Make the namespace."""
    return _post("kubeferry-a", NAMESPACE, int(secrets))


def post(namespace: str) -> dict[str, float]:
    """POST what the namespace holds into a new one on the second cluster, `THREADS` at a time, and nothing else."""
    cluster = connect("kubeferry-a")
    count = len(cluster.list(cluster.discover().by_kind("", "Secret"), NAMESPACE))
    return _post("kubeferry-b", namespace, count)


def _post(context: str, namespace: str, count: int) -> dict[str, float]:
    import orjson

    cluster = connect(context)
    kinds = cluster.discover()
    cluster.create(
        kinds.by_kind("", "Namespace"), "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    )
    path = kinds.by_kind("", "Secret").path(namespace)
    bodies = [orjson.dumps(_secret(number)) for number in range(count)]
    started = time.perf_counter()
    for _ in in_threads(lambda body: cluster.request("POST", path, body=body), bodies, THREADS):
        pass
    return figures(started)


def _secret(number: int) -> dict[str, object]:
    value = base64.b64encode(number.to_bytes(4, "big") * 100).decode()
    meta = {"name": f"secret-{number:05}", "labels": {"app": f"app-{number % 7}"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": {"password": value}}


def list_() -> dict[str, float]:
    """Read the namespace's Secrets by paged LIST, and nothing else."""
    cluster = connect("kubeferry-a")
    kind = cluster.discover().by_kind("", "Secret")
    started = time.perf_counter()
    for _ in cluster.pages(kind, NAMESPACE):
        pass
    return figures(started)


def journal(name: str, secrets: str, store: str) -> dict[str, float]:
    """Write the journal of a restore, by as many threads, and nothing else."""
    from kubeferry.tasks.core.formats.layout import RestoreKeys
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.ports.records.journal import Journal
    from kubeferry.tasks.ports.store.open import open_store

    refs = [Ref("", "Secret", name, f"secret-{number:05}") for number in range(int(secrets))]
    uid = "7a41f0c6-3f7d-48de-8913-a1cd0e88f91f"
    started = time.perf_counter()
    made = Journal(open_store(store), RestoreKeys(f"journal-{name}"), 0)
    made.begin("bench")
    made.will_create(1, refs)
    for _ in in_threads(lambda ref: made.did(1, "created", ref, uid), refs, THREADS):
        pass
    made.flush()
    made.end("Completed")
    made.close()
    return figures(started)


def backup(name: str) -> dict[str, float]:
    """Back the namespace up, from the start of the flow to its end."""
    import asyncio

    from kubeferry.flows.backup import backup as flow
    from kubeferry.tasks.core.models.options import BackupOptions

    options = BackupOptions(namespaces=[NAMESPACE], context="kubeferry-a", name=name)
    started = time.perf_counter()
    asyncio.run(flow(options))
    return figures(started)


def restore(name: str, namespace: str) -> dict[str, float]:
    """Restore it into a new namespace of the second cluster, from the start of the flow to its end."""
    import asyncio

    from kubeferry.flows.restore import restore as flow
    from kubeferry.tasks.core.models.options import RestoreOptions

    options = RestoreOptions(backup=name, context="kubeferry-b", map={NAMESPACE: namespace})
    started = time.perf_counter()
    asyncio.run(flow(options))
    return figures(started)


PARTS = {"make": make, "list": list_, "post": post, "backup": backup, "restore": restore}
PARTS |= {"journal": journal, "journal-s3": journal}

if __name__ == "__main__":
    main()
