"""What benchmarks share: clusters of their own, processes of their own, and what these took."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeferry.deployments.sandbox.sandbox import Sandbox
from kubeferry.tasks.ports.prefect import server

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

COMMAND = Path(sys.executable).with_name("kubeferry")
TOP = Path(__file__).parents[2]
A, B = "kubeferry-a", "kubeferry-b"
SETTLED = 50
"""Looks at Prefect, five a second, until it has the end of each task run."""


@dataclass
class Taken:
    """What a process took: seconds, seconds of CPU (user and system), MiB at its peak, and figures that it printed."""

    seconds: float
    cpu: float
    peak: float
    more: dict[str, Any]


@contextmanager
def clusters(number: int = 2) -> Iterator[Sandbox]:
    """Yield a sandbox with a KUBEFERRY_HOME of its own; KUBEFERRY_TEST_SANDBOX=HOME names one that runs already."""
    running = os.environ.get("KUBEFERRY_TEST_SANDBOX")
    with tempfile.TemporaryDirectory(prefix="kf-") as home:
        os.environ["KUBEFERRY_HOME"] = home
        found = Sandbox(Path(running or home) / "state" / "sandbox")
        try:
            if not running:
                found.up(clusters=number)
            os.environ |= found.env()
            yield found
        finally:
            server.stop()
            if not running:
                found.down(purge=True)


def prefect() -> None:
    """Start the local Prefect server, so that no process that is measured does."""
    os.environ |= server.environment(server.ensure())


def part(script: str, name: str, *arguments: object) -> Taken:
    """Run a part of a benchmark in a process of its own: `python SCRIPT --part NAME ARGUMENT…`, which calls `taken`."""
    argv = [sys.executable, script, "--part", name, *map(str, arguments)]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


def taken(began: float, cpu: float, **more: Any) -> str:
    """Return what this process took since `began` (perf_counter) and `cpu` (process_time), for `part`."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "peak": peak, "more": more}
    return json.dumps(found)


def command(*arguments: str) -> Taken:
    """Run `kubeferry ARGUMENTS` as a person does, its start and Prefect included; it has to succeed."""
    return process(str(COMMAND), *arguments)


def process(*argv: str, fine: Container[int] = (0,)) -> Taken:
    """Run a program; it has to end with one of the codes in `fine`."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in fine:
            err.seek(0)
            sys.exit(f"{' '.join(argv)} ended with {child.returncode}:\n{err.read().decode()[-2000:]}")
    return Taken(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, {})


def phases(flow: str) -> dict[str, float]:
    """Return the seconds of each step of the last run of a flow (`backup`, `restore`), from its task runs in Prefect.

    Steps of one name are added up; they may run side by side. `flow` is the whole.
    """
    return asyncio.run(_phases(flow))


async def _phases(flow: str) -> dict[str, float]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

    async with get_client() as client:
        of = FlowFilter(name=FlowFilterName(any_=[flow]))
        for _ in range(SETTLED):
            (run,) = await client.read_flow_runs(flow_filter=of, sort=FlowRunSort.START_TIME_DESC, limit=1)
            only = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
            steps = await client.read_task_runs(flow_run_filter=only, limit=200, sort=TaskRunSort.END_TIME_DESC)
            if run.end_time and steps and all(each.end_time for each in steps):
                break
            await asyncio.sleep(0.2)  # what a run did arrives as events, after its end
        found = {"flow": (run.end_time - run.start_time).total_seconds()}
        for each in steps[::-1]:
            step = re.sub(r"-[0-9a-f]+$", "", each.name)
            found[step] = found.get(step, 0.0) + (each.end_time - each.start_time).total_seconds()
    return {step: round(seconds, 2) for step, seconds in found.items()}


# --- distance


@contextmanager
def far(url: str, latency: float) -> Iterator[str]:
    """Yield the URL of a relay before a server, in a process of its own, which holds back each answer `latency` ms.

    It passes bytes on, TLS included, so it costs next to nothing, and the server's certificate is what clients see.
    """
    to = urlsplit(url)
    argv = [sys.executable, __file__, str(to.hostname), str(to.port), str(latency)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(TOP)}) as relay:
        try:
            yield f"{to.scheme}://127.0.0.1:{relay.stdout.readline().strip()}"
        finally:
            relay.terminate()


async def _relay(host: str, port: int, seconds: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(host, port)
        await asyncio.gather(_pass(reader, requests, 0), _pass(answers, writer, seconds))

    served = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(served.sockets[0].getsockname()[1], flush=True)
    await served.serve_forever()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass bytes on, each so much later than it came; what comes meanwhile waits no longer than that."""
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue()

    async def read() -> None:
        with suppress(ConnectionError):
            while data := await reader.read(2**16):
                waiting.put_nowait((loop.time() + seconds, data))
        waiting.put_nowait((loop.time() + seconds, b""))

    reading = asyncio.create_task(read())
    with suppress(ConnectionError):  # the other side has gone
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
    writer.close()
    await reading


if __name__ == "__main__":
    import uvloop

    uvloop.run(_relay(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
