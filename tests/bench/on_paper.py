"""What a large installation needs, computed from what was measured: `python -m tests.bench.on_paper`.

`--measure` makes namespaces of 20 objects and backs up few and many of them, each as one flow run, and counts: requests
to the cluster and to Prefect, bytes, task runs, rows of each table of Prefect's database, seconds of CPU of this
process and of Prefect's server. What a backup costs at all, and what each namespace adds, is the line through the two.
Without it, the part of deployments/README.md is written from these figures (results/on_paper.json): the arithmetic is
`needs`.
"""

from __future__ import annotations

import argparse
import math
import os
import sqlite3
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import document
from tests.bench.measure import A, clusters
from tests.docs.generated import Section, table

if TYPE_CHECKING:
    from collections.abc import Mapping

CLUSTERS, NAMESPACES, TOGETHER, HOURS = 100, 10_000, 500, 6
"""Clusters, namespaces of each, namespaces of one backup, hours of the night."""
DAYS, EVENT_DAYS = 90, 7
"""How long Prefect's server keeps runs, and events: the settings in deployments/README.md."""
ALL, EVENTS = "rows of all tables", "rows of events"


def main() -> None:
    """Measure, or write the part of the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--few", type=int, default=150, help="namespaces; of fewer each is listed on its own")
    parser.add_argument("--many", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", default="", help="with --measure: another document than results/on_paper.json")
    args = parser.parse_args()
    if args.measure:
        rows = measured(args.few, args.many, args.rounds)
        document.save("on_paper", rows, args.json)
        for row in rows:
            print(row.size, round(row.median, 1), row.notes)
    else:
        SECTION.write()


# --- the arithmetic


@dataclass(frozen=True)
class Cost:
    """What one figure is for a backup at all, and for each namespace of it."""

    backup: float
    namespace: float

    def of(self, namespaces: int) -> float:
        """Return it for one backup of so many namespaces."""
        return self.backup + self.namespace * namespaces


def line(few: document.Row, many: document.Row) -> dict[str, Cost]:
    """Return each figure as the line through two measurements; nothing costs less than nothing at all."""
    found = {}
    for name, value in figures(few).items():
        slope = max(0.0, (figures(many)[name] - value) / (many.size - few.size))
        found[name] = Cost(max(0.0, value - slope * few.size), slope)
    return found


def figures(row: document.Row) -> dict[str, float]:
    """Return the figures of a measurement by name."""
    return {"seconds": row.median, "CPU s": row.cpu or 0.0} | {
        name: value for name, value in row.notes.items() if isinstance(value, int | float)
    }


def needs(costs: Mapping[str, Cost]) -> dict[str, float]:
    """Return what CLUSTERS clusters of NAMESPACES namespaces need in a night, backed up TOGETHER at a time."""
    backups = CLUSTERS * math.ceil(NAMESPACES / TOGETHER)
    night = {name: cost.of(TOGETHER) * backups for name, cost in costs.items()} | {"backups": backups}
    window = HOURS * 3600
    night["workers"] = math.ceil(night["seconds"] / window)
    night["cores of Prefect"] = night["CPU s of Prefect"] / window
    kept = night[EVENTS] * EVENT_DAYS + (night[ALL] - night[EVENTS]) * DAYS
    night["GiB of Prefect"] = kept * night["bytes of Prefect"] / max(night[ALL], 1) / 2**30
    return night


LARGE_DATABASE, MANY_WORKERS = 500, 100
"""GiB of a database, and workers, from which on an installation is large."""


@dataclass(frozen=True)
class Limit:
    """Something of which there is only so much, and what helps where it is not enough."""

    what: str
    figure: str
    most: float
    remedy: str


LIMITS = (
    Limit(
        "one core of Prefect's server, since each of its processes uses one",
        *("cores of Prefect", 1.0),
        "A server for each group of clusters helps: backups of different clusters share nothing but the store. Fewer "
        "and larger backups help where the share of a backup itself is large.",
    ),
    Limit(
        f"a database of {LARGE_DATABASE} GiB",
        *("GiB of Prefect", LARGE_DATABASE),
        "A shorter `PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD` helps, since no backup is in that database.",
    ),
    Limit(
        f"{MANY_WORKERS} workers",
        *("workers", MANY_WORKERS),
        "A longer night helps, or Kubernetes work pools, which start a Job for each run and need one worker.",
    ),
)


def first_limit(night: Mapping[str, float]) -> str:
    """Return which limit is met first, how much of it is needed, and what helps."""
    share, limit = max(((night[each.figure] / each.most, each) for each in LIMITS), key=lambda pair: pair[0])
    return f"Of the limits, the first is {limit.what}, of which this takes {share:.2g}. {limit.remedy}"


def the_part() -> str:
    """Return the part of deployments/README.md."""
    path = document.RESULTS / "on_paper.json"
    if not path.exists():
        return "Not measured yet: `python tests/bench/on_paper.py --measure`."
    head, rows = document.load(path)
    few, many = sorted(rows, key=lambda row: row.size)
    costs = line(few, many)
    night = needs(costs)
    named = [
        ("requests to API servers", "requests to the cluster", 1, ""),
        ("bytes stored, compressed", "bytes stored", 2**30, " GiB"),
        ("task runs", "task runs", 1, ""),
        ("rows in Prefect's database", ALL, 1, ""),
        ("requests to Prefect", "requests to Prefect", 1, ""),
        ("hours of one worker", "seconds", 3600, ""),
    ]
    lines = [
        [what, f"{costs[name].backup:,.0f}", f"{costs[name].namespace:,.2f}", f"{night[name] / unit:,.0f}{of}"]
        for what, name, unit, of in named
    ]
    host, dates = head["machine"], ", ".join(sorted({row.date for row in rows}))
    window = HOURS * 3600
    what = (
        f"{CLUSTERS} clusters of {NAMESPACES:,} namespaces of 20 objects, each night in {HOURS} hours, by "
        f"{night['backups']:,} backups of {TOGETHER} namespaces each: computed from backups of {few.size} and of "
        f"{many.size} namespaces, measured on {host['cores']} cores and {host['memory_gib']} GiB ({dates})."
    )
    means = (
        f"That is work for {night['workers']:,} worker{'s' * (night['workers'] != 1)}, with one backup at a time, and "
        "for Prefect's server "
        f"{night[ALL] / window:,.0f} rows and {night['requests to Prefect'] / window:,.0f} requests a second, "
        f"{night['cores of Prefect']:.2g} cores, and {night['GiB of Prefect']:,.0f} GiB of database, which "
        f"keeps runs for {DAYS} days and events for {EVENT_DAYS}. {first_limit(night)}"
    )
    return "\n\n".join([what, table(["", "a backup", "and each namespace", "a night"], lines), means])


SECTION = Section("deployments/README.md", "tests.bench.on_paper", the_part)


# --- the figures


def measured(few: int, many: int, rounds: int) -> list[document.Row]:
    """Back up few namespaces and many, on a sandbox; return a row for each, with the means of all rounds."""
    from tests.bench.bench_migrate import _make, _server

    from kubeferry.tasks.ports.cluster.client import connect
    from kubeferry.tasks.ports.local.threads import in_threads

    with clusters(1):
        os.environ.pop("KUBEFERRY_STORE")
        with _server():
            names = [f"paper-{os.getpid()}-{number:04}" for number in range(many)]
            kinds = connect(A).discover()
            rows = []
            for new, size in ((names[:few], few), (names[few:], many)):  # all that the cluster has, each time
                list(in_threads(lambda name: _make(kinds, name, 1), new, 16))
                _backup(names[:1])  # what is read once: modules, settings, the first connection
                rows.append(_mean([_backup(names[:size]) for _ in range(rounds)]))
            return rows


def _mean(rows: list[document.Row]) -> document.Row:
    """Return one row of several: the database grows by whole pages, so that one round alone says little."""
    found = document.Row(rows[0].what, rows[0].size, rows[0].unit, [row.median for row in rows])
    found.cpu = statistics.mean(row.cpu or 0.0 for row in rows)
    for name, value in rows[-1].notes.items():
        plain = isinstance(value, int | float)
        found.notes[name] = round(statistics.mean(row.notes[name] for row in rows), 2) if plain else value
    return found


def _backup(names: list[str]) -> document.Row:
    from tests.bench.bench_migrate import _cpu, counting

    from kubeferry.flows.backup import backup
    from kubeferry.flows.console.run import in_loop
    from kubeferry.tasks.core.models.options import BackupOptions

    before, cpu, stored, size = _tables(), _cpu(), _stored(), _size()
    with counting() as requests:
        began = time.perf_counter()
        in_loop(backup(BackupOptions(namespaces=names, context=A, name=f"paper-{time.monotonic_ns()}")))
        seconds = time.perf_counter() - began
    own = _cpu()
    after = _settled()
    rows = {name: after[name] - before.get(name, 0) for name in sorted(after) if after[name] != before.get(name, 0)}
    notes: dict[str, Any] = {
        "requests to the cluster": sum(count for what, count in requests.items() if what.startswith(A)),
        "requests to Prefect": sum(count for what, count in requests.items() if what.startswith("prefect")),
        "bytes stored": _stored() - stored,
        "task runs": rows.get("task_run", 0),
        ALL: sum(rows.values()),
        EVENTS: sum(count for name, count in rows.items() if name.startswith("event")),
        "bytes of Prefect": _size() - size,
        "CPU s of Prefect": round(_cpu()["the Prefect server"] - cpu["the Prefect server"], 2),
        "rows": rows,
    }
    row = document.Row("backup of namespaces", len(names), "namespaces of 20 objects", [seconds], notes=notes)
    row.cpu = own["this process"] - cpu["this process"]
    return row


def _database() -> Path:
    (found,) = Path(os.environ["KUBEFERRY_HOME"]).rglob("prefect.db")
    return found


def _size() -> int:
    """Return the bytes of Prefect's database, with what it has not merged yet."""
    return sum(path.stat().st_size for path in _database().parent.glob("prefect.db*"))


def _tables() -> dict[str, int]:
    """Return the rows of each table of Prefect's database."""
    with sqlite3.connect(f"file:{_database()}?mode=ro", uri=True) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
    db.close()
    return found


def _settled() -> dict[str, int]:
    """Return the rows once three looks in a row, two seconds apart, find the same: events are written in batches."""
    seen = [_tables()]
    while len(seen) < 3 or not seen[-1] == seen[-2] == seen[-3]:
        time.sleep(2)
        seen.append(_tables())
    return seen[-1]


def _stored() -> int:
    store = Path(os.environ["KUBEFERRY_HOME"])
    return sum(path.stat().st_size for path in store.rglob("backups/**/*") if path.is_file())


if __name__ == "__main__":
    main()
