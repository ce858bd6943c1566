"""Measure the peak memory of backup, plan and restore by the number of objects: `python tests/bench/bench_memory.py`.

Each is the command itself, a process of its own, under another name (`--map`); its peak is that of `getrusage`. The
plan is of a backup that Kubeferry's own steps wrote from made-up LIST pages: Secrets, ConfigMaps, Deployments, Services
and Pods with owners and references, 3 kB each (tests/support/large_backup.py). The restore writes its Secrets and
ConfigMaps to the sandbox, and the backup reads them there. The slope is the peak's growth an object, by least squares.
It asserts nothing: `--json FILE` adds the rows to a document.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import document
from tests.bench.measure import COMMAND, clusters, prefect
from tests.support.large_backup import NAMESPACE, write_backup

MIB = 2**20
PEAK = """
import os, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss * 1024, used.ru_utime + used.ru_stime)
sys.exit(done.returncode)
"""
"""A small parent of its own for each command: a process reports the largest peak of all its children."""


def main() -> None:
    """Print a table, and with --json write the figures to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--only-plan", action="store_true", help="measure no cluster")
    document.option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kf-") as folder:
        os.environ["KUBEFERRY_HOME"] = folder
        figures = plans(args.objects, Path(folder)) if args.only_plan else on_sandbox(args.objects, Path(folder))
    print(f"{os.cpu_count()} cores; peak of the whole command in MiB (CPU seconds)")
    print(f"{'objects':10}" + "".join(f"{count:>18,}" for count in args.objects) + f"{'bytes an object':>18}")
    for what, rows in figures.items():
        shown = "".join(f"{each['bytes'] / MIB:11.0f} ({each['cpu']:3.0f}s)" for each in rows)
        print(f"{what:10}{shown}{slope(args.objects, [each['bytes'] for each in rows]):18,.0f}")
    if args.json:
        rows = [
            document.Row(
                f"{what}, command", count, "objects of 3 kB", [one["seconds"]], cpu=one["cpu"], peak=one["bytes"] / MIB
            )
            for what, found in figures.items()
            for count, one in zip(args.objects, found, strict=True)
        ]
        document.save("memory", rows, args.json)


def on_sandbox(counts: list[int], folder: Path) -> dict[str, list[dict[str, float]]]:
    """Measure all three."""
    with clusters(1):
        prefect()
        figures = plans(counts, folder)
        for count in counts:
            space = f"of-{count}"
            options = ["--context", "kubeferry-a", "--store", store(folder)]
            only = ["--include", "secrets", "--include", "configmaps"]
            named = ["--map", f"{NAMESPACE}={space}", "--name", f"restore-{count}"]
            restored = peak("restore", f"large-{count}", *named, *only, *options)
            figures.setdefault("restore", []).append(restored)
            figures.setdefault("backup", []).append(peak("backup", space, "--name", f"again-{count}", *options))
        return figures


def plans(counts: list[int], folder: Path) -> dict[str, list[dict[str, float]]]:
    """Write the backups and plan each, with the whole plan as JSON."""
    found = []
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as work:
            name = write_backup(store(folder), Path(work), count, f"large-{count}")
        found.append(peak("plan", name, "--map", f"{NAMESPACE}=copy", "-o", "json", "--store", store(folder)))
    return {"plan": found}


def store(folder: Path) -> str:
    """Return the URL of the store, a folder."""
    return (folder / "store").as_uri()


def peak(*command: str) -> dict[str, float]:
    """Return the peak memory of a command in bytes, and its CPU seconds; one that ends otherwise than well fails."""
    argv, began = [sys.executable, "-c", PEAK, str(COMMAND), *command], time.perf_counter()
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode not in {0, 3}:  # 3: something is not as it was, which made-up objects may lead to
        raise SystemExit(f"kubeferry {' '.join(command)} failed")
    size, cpu = done.stdout.split()[-2:]
    return {"bytes": float(size), "cpu": float(cpu), "seconds": time.perf_counter() - began}


def slope(counts: list[int], peaks: list[float]) -> float:
    """Return the growth of the peak an object, by least squares; 0 for one count."""
    mean, middle = sum(counts) / len(counts), sum(peaks) / len(peaks)
    spread = sum((count - mean) ** 2 for count in counts)
    return sum((c - mean) * (p - middle) for c, p in zip(counts, peaks, strict=True)) / spread if spread else 0.0


if __name__ == "__main__":
    main()
