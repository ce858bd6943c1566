"""Time the real Velero against Kubeferry, in one run: `python tests/bench/bench_velero.py`.

Makes a namespace of 5,000 Secrets on a sandbox of its own. Each tool saves it to its S3 server and restores it
under another name on the same cluster: Velero as it comes, Velero with its client limits lifted, Kubeferry. What is
timed is the command that a person types, until it returns: `velero … --wait`, and `kubeferry …` with its start and
Prefect included. Every restore is counted. It asserts nothing else: figures go into notes, not tests.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_secrets import NAMESPACE, part

from kubeferry.deployments.sandbox import processes
from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.deployments.velero.build import VERSION
from kubeferry.deployments.velero.server import Velero
from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.prefect import server

CONTEXT = "kubeferry-a"
COMMAND = Path(sys.executable).with_name("kubeferry")
LIFTED = ("--client-qps=10000", "--client-burst=10000")


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kf-") as home:
        os.environ["KUBEFERRY_HOME"] = home
        sandbox = Sandbox(Path(home) / "state" / "sandbox")
        sandbox.up(clusters=1)
        os.environ |= sandbox.env()
        try:
            compare(sandbox, args.secrets, args.rounds)
        finally:
            server.stop()
            sandbox.down(purge=True)


def compare(sandbox: Sandbox, secrets: int, rounds: int) -> None:
    """Print a line a tool and round, as soon as it is known."""
    os.environ |= server.environment(server.ensure())
    part("make", secrets)
    print(f"{os.cpu_count()} cores; {secrets} Secrets; seconds of the whole command; Velero {VERSION}")
    print(f"{'':24}{'backup s':>10}{'restore s':>11}{'peak MiB':>10}{'load':>7}")
    for turn in range(rounds):
        for name, options in (("velero", ()), ("velero, limits lifted", LIFTED)):
            print_line(
                name,
                *by_velero(Velero(sandbox, CONTEXT, options=options), f"{name[:6]}-{len(options)}-{turn}", secrets),
            )
        print_line("kubeferry", *by_kubeferry(f"kubeferry-{turn}", secrets))


def print_line(name: str, backup: float, restore: float, peak: float) -> None:
    """Print one line."""
    print(f"{name:24}{backup:10.1f}{restore:11.1f}{peak:10.0f}{os.getloadavg()[0]:7.1f}", flush=True)


def by_velero(velero: Velero, name: str, secrets: int) -> tuple[float, float, float]:
    """Return Velero's seconds, and the peak of its server's memory."""
    velero.up()
    while "Available" not in velero.run("backup-location", "get"):
        time.sleep(0.5)
    saved = timed(lambda: velero.run("backup", "create", name, "--include-namespaces", NAMESPACE, "--wait"))
    mapped = f"--namespace-mappings={NAMESPACE}:{name}"
    restored = timed(lambda: velero.run("restore", "create", name, "--from-backup", name, mapped, "--wait"))
    count(name, secrets)
    peak = peak_of(velero)
    velero.down()
    return saved, restored, peak


def by_kubeferry(name: str, secrets: int) -> tuple[float, float, float]:
    """Return Kubeferry's seconds, and the peak of the larger of its two processes."""
    saved, one = run("backup", NAMESPACE, "--name", name, "--context", CONTEXT)
    restored, other = run("restore", name, "--map", f"{NAMESPACE}={name}", "--context", CONTEXT)
    count(name, secrets)
    return saved, restored, max(one, other)


def run(*arguments: str) -> tuple[float, float]:
    """Run `kubeferry ARGUMENTS`; return its seconds and the peak of its memory in MiB."""
    started = time.perf_counter()
    process = subprocess.Popen([COMMAND, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"kubeferry {arguments[0]} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def timed(call) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def count(namespace: str, secrets: int) -> None:
    """Refuse a restore that is not whole."""
    cluster = connect(CONTEXT)
    found = len(cluster.list(cluster.discover().by_kind("", "Secret"), namespace))
    if found != secrets:
        sys.exit(f"{namespace} has {found} Secrets, not {secrets}")


def peak_of(velero: Velero) -> float:
    """Return the peak of its server's memory in MiB: VmHWM of proc(5) status."""
    pid = processes.running(velero.folder / "run" / "velero.json")
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


if __name__ == "__main__":
    main()
