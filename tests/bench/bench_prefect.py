"""Measure what Prefect itself takes of a migration: `python tests/bench/bench_prefect.py [--json FILE]`.

A flow starts many sub-flows as a migration does, a lean client included, whose work is nothing: what is measured is
Prefect's own, by CPU a sub-flow in this process and in its server, with the requests that were sent. Rows: a sub-flow
as Prefect sends it, through the lean client, and with one task run inside; they are run in turn. It asserts nothing.
It uses the local Prefect server of KUBEFERRY_HOME, or starts one there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubeferry.tasks.ports.prefect import server as prefect_server

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTLED = 3.0
"""Seconds after which the server has written the last events: it does that every second."""


def main() -> None:
    """Run each row some times in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subflows", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3, help="of each row")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    args = parser.parse_args()
    os.environ |= prefect_server.environment(prefect_server.ensure())
    found = asyncio.run(_measured(args.subflows, args.runs))
    print(f"{'a sub-flow':30}{'client CPU s':>14}{'server CPU s':>14}{'clock s':>10}{'requests':>10}")
    for name, each in found.items():
        print(
            f"{name:30}{each['client']:14.4f}{each['server']:14.4f}{each['seconds']:10.4f}"
            f"{sum(each['requests'].values()):10.2f}"
        )
        for what, count in sorted(each["requests"].items(), key=lambda pair: -pair[1]):
            print(f"    {count:8.2f}  {what}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n")


async def _measured(subflows: int, runs: int) -> dict[str, dict[str, Any]]:
    from prefect import flow

    from kubeferry.tasks.ports.prefect.subflows import lean
    from kubeferry.tasks.step import as_one, side_by_side

    @flow(name="bench-nothing", persist_result=False, validate_parameters=False)
    async def nothing(number: int) -> int:
        return number

    @flow(name="bench-one-task", persist_result=False, validate_parameters=False)
    async def one_task(number: int) -> int:
        return await as_one(f"count {number}", lambda: asyncio.sleep(0, number))

    @flow(name="bench-prefect", persist_result=False)
    async def parent(child: Any, through: Any) -> None:
        async with through:
            await side_by_side(child, range(subflows), 6)

    def client() -> Any:
        return lean(lambda _, parameters: f"child {parameters['number']}")

    rows = {
        "as Prefect sends it": lambda: parent.fn(nothing, nullcontext()),
        "through the lean client": lambda: parent.fn(nothing, client()),
        "the same, with one task run": lambda: parent.fn(one_task, client()),
    }

    @flow(name="bench-prefect-row", persist_result=False, validate_parameters=False)
    async def whole(name: str) -> None:
        await rows[name]()

    taken: dict[str, list[dict[str, Any]]] = {}
    for name in [*list(rows)[:1], *list(rows) * runs]:
        with _counting() as requests:
            before, began = _cpu(), time.perf_counter()
            await whole(name)
            seconds = time.perf_counter() - began
            await asyncio.sleep(SETTLED)
            mine, servers = (after - each for after, each in zip(_cpu(), before, strict=True))
        each = {"client": mine / subflows, "server": servers / subflows, "seconds": seconds / subflows}
        taken.setdefault(name, []).append(
            each | {"requests": {what: count / subflows for what, count in requests.items()}}
        )
    first = next(iter(rows))
    taken[first] = taken[first][1:]  # what is made once is not of a sub-flow
    return {
        name: {figure: statistics.median(each[figure] for each in some) for figure in ("client", "server", "seconds")}
        | {"requests": some[-1]["requests"]}
        for name, some in taken.items()
    }


def _cpu() -> tuple[float, float]:
    """Return the CPU seconds of this process and of the server (proc(5): utime and stime)."""
    return _of(os.getpid()), _of(prefect_server.status().pid)


def _of(pid: int | None) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / float(os.sysconf("SC_CLK_TCK"))


@contextmanager
def _counting() -> Iterator[Counter[str]]:
    """Count the requests to Prefect's API."""
    from httpx import AsyncClient

    counts: Counter[str] = Counter()
    send = AsyncClient.send

    async def counted(self: Any, request: Any, **options: Any) -> Any:
        parts = [part for part in request.url.path.removeprefix("/api").split("/") if part and len(part) < 36]
        counts[f"{request.method} {'/'.join(parts)}"] += 1
        return await send(self, request, **options)

    AsyncClient.send = counted  # type: ignore[method-assign]
    try:
        yield counts
    finally:
        AsyncClient.send = send  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
