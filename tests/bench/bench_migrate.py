"""Time a migration of many small namespaces from one cluster to the other: `python tests/bench/bench_migrate.py`.

Makes the namespaces on the sandbox's first cluster, migrates them to the second one by the flow `migrate`, Prefect
included, and prints seconds per namespace, where the time went (a sampler of this process, by step) and how many
requests went to each cluster, the store and Prefect. It asserts nothing: figures go into notes, not tests. Half of the
work is Python's: one that was built with optimizations, as Debian's and Docker's are, takes a quarter less time for it.
`KUBEFERRY_TEST_SANDBOX=HOME` uses a sandbox that runs already.

`--latency MS` puts so much time between Kubeferry and each answer of both API servers. `--workers N…` then also
migrates by `--fan-out deployment`, with so many workers, each of which runs one namespace at a time in a process of its
own. `--json FILE` adds a row for each migration to a document.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, get_ident

sys.path.insert(0, str(Path(__file__).parents[2]))

import yaml
from tests.bench import document
from tests.bench.measure import COMMAND, A, B, clusters, far
from tests.support.work_pools import register

from kubeferry.tasks.ports.cluster.client import connect
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.ports.prefect import server as prefect_server

ROOT = str(Path(__file__).parents[2])
EVERY = 0.01
"""Seconds between two samples."""

IDLE = {"wait", "_wait_for_tstate_lock", "select", "accept", "_worker", "poll", "get", "result", "sleep"}
"""What the innermost function of a thread is called that has nothing to do."""
REMOTE = {"read", "recv_into", "recv", "readinto", "send", "sendall", "do_handshake", "readline", "_read_status"}
"""The same of a thread that waits for an answer."""


def main() -> None:
    """Make, migrate, print, delete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespaces", type=int, default=300)
    parser.add_argument("--side-by-side", type=int, default=0)
    parser.add_argument("--replicas", type=int, default=1, help="of each namespace's one Deployment")
    parser.add_argument("--where", action="store_true", help="sample the steps of this process, which slows it")
    parser.add_argument("--rename", action="store_true", help="give each namespace a new name")
    parser.add_argument("--latency", type=float, default=0, help="milliseconds between each request and its answer")
    parser.add_argument("--workers", type=int, nargs="+", default=[], help="then also by so many workers")
    parser.add_argument("--rounds", type=int, default=1)
    document.option(parser)
    args = parser.parse_args()
    print(f"Python {sys.version.split()[0]}; a fixed piece of Python takes {_pace():.3f} s")
    rows: dict[str, document.Row] = {}
    with clusters(), ExitStack() as stack:
        os.environ.pop("KUBEFERRY_STORE")
        config = stack.enter_context(_further(args.latency)) if args.latency else ""
        stack.enter_context(_server())
        for turn in range(args.rounds):
            for workers in (0, *args.workers):
                names = [f"bm{os.getpid()}-{turn}-{workers}-{number:04}" for number in range(args.namespaces)]
                _one(names, workers, config, args, rows)
    if args.json:
        document.save("migrate", rows.values(), args.json)


def _one(names, workers, config, args, rows):
    """Make namespaces, migrate them, add what it took to its row, delete them."""
    began = time.perf_counter()
    kinds = connect(A).discover()
    for _ in in_threads(lambda name: _make(kinds, name, args.replicas), names, 16):
        pass
    print(f"made {len(names)} namespaces in {time.perf_counter() - began:.1f} s; load {os.getloadavg()[0]:.1f}")
    try:
        if workers:
            with _workers(workers) as more:
                seconds, notes = _run(names, args, config, more)
        else:
            seconds, notes = _run(names, args, config, {})
    finally:
        _delete([*names, *(f"{name}-n" for name in names)])
    what = f"migrate, {f'{workers} workers' if workers else 'one process'}"
    what += f", {args.latency:g} ms latency" if args.latency else ""
    row = rows.setdefault(what, document.Row(what, len(names), "namespaces of 20 objects", []))
    row.seconds.append(seconds)
    row.notes, row.cpu = notes | {"s a namespace": round(seconds / len(names), 3)}, notes.pop("CPU s of this process")
    row.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _further(latency):
    """Yield a kubeconfig whose API servers are `latency` ms away; namespaces are made from near by."""
    path = Path(os.environ["KUBECONFIG"])
    config = yaml.safe_load(path.read_text())
    with ExitStack() as stack:
        for entry in config["clusters"]:
            entry["cluster"]["server"] = stack.enter_context(far(entry["cluster"]["server"], latency))
        further = Path(os.environ["KUBEFERRY_HOME"]) / "further"
        further.write_text(yaml.safe_dump(config))
        yield str(further)


@contextmanager
def _workers(number):
    """Run so many workers on a work pool of their own; yield the options that name its deployment."""
    import asyncio

    from prefect import get_client

    pool = f"bench-{time.monotonic_ns()}"

    async def online():
        async with get_client() as client:
            while len(await client.read_workers_for_work_pool(pool, limit=100, offset=0)) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.5)

    asyncio.run(register(pool))
    env = os.environ | {"PREFECT_WORKER_QUERY_SECONDS": "1"}
    argv = [COMMAND, "worker", "--type", "process", "--pool", pool, "--limit", "1"]
    with (Path(os.environ["KUBEFERRY_HOME"]) / f"{pool}.log").open("wb") as log:
        made = [subprocess.Popen(argv, env=env, stdout=log, stderr=log) for _ in range(number)]
    try:
        asyncio.run(online())
        yield {"fan_out": "deployment", "deployment": f"migrate-namespace/{pool}"}
    finally:
        for each in made:
            each.terminate()
        for each in made:
            each.wait(60)


def _pace():
    """Return the seconds of CPU of a fixed piece of Python: how fast this build of it is here, and at this time."""
    began = time.process_time()
    for _ in range(20):
        found = {f"k{number % 97}": number * 3 // 2 for number in range(50_000)}
        json.loads(json.dumps([found] * 20))
    return time.process_time() - began


@contextmanager
def _server():
    os.environ |= prefect_server.environment(prefect_server.ensure())
    from kubeferry.tasks.ports.prefect import (
        events as prefect_events,  # as a command does; Prefect reads its settings when it is imported
    )

    prefect_events.use()
    try:
        yield
    finally:
        prefect_events.give_up()


def _run(names, args, config, more):
    """Migrate; print where the time went; return the seconds, and what a row notes."""
    import kubeferry.flows.migrate as module
    from kubeferry.flows.console.run import in_loop
    from kubeferry.tasks.core.models.options_migration import MigrateOptions

    more |= {"kubeconfig": config} if config else {}
    more |= {"map": {name: f"{name}-n" for name in names}} if args.rename else {}
    more |= {"side_by_side": args.side_by_side} if args.side_by_side else {}
    options = MigrateOptions(namespaces=names, from_context=A, to_context=B, **more)
    parts, begins = module._namespaces, [0.0]

    async def _namespaces(*args):
        begins.append(time.perf_counter())
        return await parts(*args)

    module._namespaces = _namespaces
    before = _cpu()
    with counting() as requests, sampling(args.where) as samples:
        began = time.perf_counter()
        result = in_loop(module.migrate(options))
        seconds = time.perf_counter() - began
    cpu = {name: value - before.get(name, 0) for name, value in _cpu().items()}
    print(f"{result.phase}: {result.phases}, {result.objects} objects in {seconds:.1f} s")
    print(f"backup, and bringing it to the target: {begins[-1] - began:.1f} s")
    print(f"{seconds / len(names):.3f} s per namespace; CPU of all processes {sum(cpu.values()) / len(names):.3f} s:")
    for name, value in sorted(cpu.items(), key=lambda pair: -pair[1])[:12]:
        print(f"{value / len(names):8.3f}  {name}")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB; load {os.getloadavg()[0]:.1f}")
    for end in [each for each in result.namespaces if not each.done][:5]:
        print(f"  {end.title}: {end.why}")
    print("\nrequests per namespace")
    for what, count in sorted(requests.items(), key=lambda pair: -pair[1])[:40]:
        print(f"{count / len(names):8.2f}  {what}")
    print("\nseconds per namespace in threads at work (they share two cores and one GIL), and waiting for an answer")
    steps = sorted({step for step, _ in samples}, key=lambda step: -samples[step, "at work"])
    for step in steps[:25]:
        work, remote = samples[step, "at work"] * EVERY, samples[step, "remote"] * EVERY
        print(f"{work / len(names):8.3f}{remote / len(names):8.3f}  {step}")
    module._namespaces = parts
    asked = sum(count for what, count in requests.items() if what.startswith("prefect "))
    return seconds, {
        "CPU s of this process": cpu["this process"],
        "CPU s of the Prefect server": round(cpu["the Prefect server"], 1),
        "requests to Prefect a namespace": round(asked / len(names), 1),
        "requests to clusters a namespace": round(
            sum(count for what, count in requests.items() if what.startswith((A, B))) / len(names), 1
        ),
        "phase": str(result.phase),
    }


def _cpu():
    """Return the CPU seconds of all processes by what they are (proc(5): utime and stime)."""
    found: Counter[str] = Counter()
    server = prefect_server.status().pid
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            argv = (folder / "cmdline").read_text().split("\0")
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            found[_what(int(folder.name), argv, server)] += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return found


def _what(pid, argv, server):
    if pid in (os.getpid(), server):
        return "this process" if pid == os.getpid() else "the Prefect server"
    return f"{Path(argv[0]).name} {next((name for name in (A, B) if name in ' '.join(argv)), '')}".strip() or "kernel"


@contextmanager
def counting():
    """Count requests by where to and what for."""
    import httpx

    from kubeferry.tasks.ports.cluster.transport import Transport
    from kubeferry.tasks.ports.store.local import LocalStore

    counts: Counter[str] = Counter()
    kept = Transport._whole, httpx.AsyncClient.send, LocalStore.put, LocalStore.put_new, LocalStore.get

    def send(self, method, target, *args, **options):
        parts = target.partition("?")[0].split("/")
        what = parts[-1] if method == "POST" else _kind(parts)
        counts[f"{self.name} {method} {what}"] += 1
        return kept[0](self, method, target, *args, **options)

    async def api(self, request, *args, **options):
        path = [each for each in request.url.path.split("/") if len(each) < 36]
        counts[f"prefect {request.method} {'/'.join(path)}"] += 1
        return await kept[1](self, request, *args, **options)

    def stored(at, name):
        def wrapped(self, *args, **options):
            counts[f"store {name}"] += 1
            return kept[at](self, *args, **options)

        return wrapped

    Transport._whole, httpx.AsyncClient.send = send, api
    LocalStore.put, LocalStore.put_new, LocalStore.get = stored(2, "put"), stored(3, "put_new"), stored(4, "get")
    try:
        yield counts
    finally:
        Transport._whole, httpx.AsyncClient.send, LocalStore.put, LocalStore.put_new, LocalStore.get = kept


def _kind(parts):
    at = parts.index("namespaces") if "namespaces" in parts else -1
    rest = parts[at + 2 :] if at >= 0 and len(parts) > at + 2 else parts[-1:]
    return "/".join(rest[:1] + (["NAME"] if len(rest) > 1 else []))


@contextmanager
def sampling(wanted):
    """Sample what the threads of this process do."""
    samples: Counter[tuple[str, str]] = Counter()
    if not wanted:
        yield samples
        return
    over, own = Event(), get_ident()

    def watch():
        while not over.wait(EVERY):
            for ident, frame in sys._current_frames().items():
                with suppress(AttributeError):  # a frame that ended meanwhile
                    if ident != get_ident() and (found := _where(frame, main=ident == own)):
                        samples[found] += 1

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def _where(frame, *, main):
    inner = frame.f_code.co_name
    if inner in IDLE:
        return None
    step, prefect = "", ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ROOT + "/tasks/") and not step.startswith("tasks/"):
            step = name.removeprefix(ROOT + "/").removesuffix(".py") + f" {frame.f_code.co_name}"
        if "/site-packages/" in name and not prefect:
            prefect = name.rpartition("/site-packages/")[2].split("/")[0]
        frame = frame.f_back
    return step or f"{'loop: ' if main else ''}{prefect or 'python'}", "remote" if inner in REMOTE else "at work"


def _make(kinds, name, replicas):
    cluster = connect(A)
    cluster.create(
        kinds.by_kind("", "Namespace"), "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    for kind, api_version, body in _objects(name, replicas):
        group = api_version.rpartition("/")[0]
        obj = {"apiVersion": api_version, "kind": kind} | body
        cluster.create(kinds.by_kind(group, kind), name, obj)


def _objects(name, replicas):
    """Yield 20 objects."""
    meta = lambda word: {"metadata": {"name": word, "labels": {"app": "web"}}}  # noqa: E731 - short and local
    for number in range(9):
        data = {"data": {"peer": f"http://web.{name}.svc:80/", "number": str(number), "text": "x" * 300}}
        yield "ConfigMap", "v1", meta(f"settings-{number}") | data
    for number in range(4):
        yield "Secret", "v1", meta(f"secret-{number}") | {"stringData": {"word": f"{name}-{number}"}}
    for number in range(3):
        yield "Service", "v1", meta(f"web-{number}") | {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    yield "ServiceAccount", "v1", meta("web")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    yield "Role", "rbac.authorization.k8s.io/v1", meta("reads") | {"rules": rules}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reads"}
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": name}
    yield "RoleBinding", "rbac.authorization.k8s.io/v1", meta("reads") | {"roleRef": role, "subjects": [subject]}
    labels = {"app": "web"}
    spec = {"serviceAccountName": "web", "containers": [{"name": "web", "image": "nginx"}]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    body = {"spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}}
    yield "Deployment", "apps/v1", meta("web") | body


def _delete(names):
    for context in (A, B):
        cluster = connect(context)
        kind = cluster.discover().by_kind("", "Namespace")
        uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in cluster.list(kind)}
        there = [name for name in names if name in uids]
        for _ in in_threads(lambda n, c=cluster, k=kind, u=uids: c.delete(k, "", n, uid=u[n]), there, 8):
            pass


if __name__ == "__main__":
    main()
