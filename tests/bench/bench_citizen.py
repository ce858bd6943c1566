"""Time what a second client notices of a restore: `python tests/bench/bench_citizen.py`.

API Priority and Fairness is on. A small API server (`--inflight` requests at once, shared out among its priority
levels) has a second client at work: a loop of GET, LIST and POST with an identity of its own, in the same priority
level as Kubeferry. Its latencies are measured before, during and after raw POSTs by 16 threads and a restore of the
same Secrets: as a ServiceAccount (priority level workload-low) and as a plain user (global-default). `--throttled` adds
a restore through a proxy that refuses a third of all requests with 429 and Retry-After. It asserts nothing: `--json
FILE` adds rows to a document.

What each part of the server did is read from its metrics:
https://kubernetes.io/docs/reference/instrumentation/metrics/ (apiserver_flowcontrol_*).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import orjson
import yaml
from tests.bench import document, raw
from tests.bench.bench_secrets import NAMESPACE, bodies
from tests.bench.measure import A, clusters, command, part, prefect, taken

from kubeferry.deployments.sandbox import components

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.measure import Taken

SCHEMA = "bench-second"
"""The flow schema of the second client: its figures apart from Kubeferry's, in the same priority level."""
FLOW = "apiserver_flowcontrol_"
CALM = 6.0
"""Seconds of the second client alone, before and after."""
PAUSE = 0.02
"""Seconds between two requests of the second client: it takes no more than it needs."""


@dataclass(frozen=True)
class Identity:
    """Who asks: the flow schema and the priority level that the API server puts it in, and its user names."""

    title: str
    schema: str
    level: str

    def user(self, name: str) -> str:
        """Return the user name of `mover` or `second`."""
        return f"system:serviceaccount:default:{name}" if self.level == "workload-low" else name


ACCOUNT = Identity("a ServiceAccount", "service-accounts", "workload-low")
PERSON = Identity("a plain user", "global-default", "global-default")


def main() -> None:
    """Measure, and print a line for each thing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inflight", type=int, default=60, help="of the API server; by default it has 600")
    parser.add_argument(
        "--throttled", action="store_true", help="measure a restore through a proxy that throttles, too"
    )
    document.option(parser)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print(PARTS[args.part[0]](*args.part[1:]))
        return
    rows = []
    with small(args.inflight), clusters(1):
        prefect()
        os.environ.pop("KUBEFERRY_STORE")
        part(str(Path(__file__).with_name("bench_secrets.py")), "make", A, NAMESPACE, args.secrets)
        command("backup", NAMESPACE, "--context", A, "--name", "saved")
        for identity in (ACCOUNT, PERSON):
            rows += compared(identity, args)
        if args.throttled:
            rows.append(throttled(args.secrets))
    for row in rows:
        print(f"{row.what:44}{row.median:8.1f} s{row.ratio or 0:7.2f}x  {json.dumps(row.notes)}")
    if args.json:
        document.save("citizen", rows, args.json)


@contextmanager
def small(inflight: int) -> Iterator[None]:
    """Start API servers with so many requests at once, two thirds of them reading, as is the default's share."""
    whole = components.apiserver
    flags = [f"--max-requests-inflight={inflight * 2 // 3}", f"--max-mutating-requests-inflight={inflight // 3}"]
    components.apiserver = lambda cluster: [*whole(cluster), *flags]
    try:
        yield
    finally:
        components.apiserver = whole


def compared(identity: Identity, args: argparse.Namespace) -> Iterator[document.Row]:
    """Yield the rows of one identity: raw POSTs and restores in turn, with the second client at work."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "kubeconfig"
        admitted(identity, config)
        found: dict[str, list[tuple[Taken, dict[str, Any]]]] = {"raw": [], "ours": []}
        for turn in range(args.rounds):
            name = f"{identity.level}-{turn}"
            raw.ask(administrator(), "POST", "/api/v1/namespaces", {"metadata": {"name": f"raw-{name}"}})
            sent = ("post", str(config), f"raw-{name}", str(args.secrets))
            found["raw"].append(beside(identity, config, lambda sent=sent: part(__file__, *sent)))
            argv = ("restore", "saved", "--kubeconfig", str(config), "--context", "mover")
            argv += ("--map", f"{NAMESPACE}=ours-{name}")
            found["ours"].append(beside(identity, config, lambda argv=argv: command(*argv)))
    seconds = {kind: [each.seconds for each, _ in pairs] for kind, pairs in found.items()}
    for kind, what in (("raw", "16 threads of raw POST"), ("ours", "restore, command")):
        pairs = found[kind]
        row = document.Row(f"{what}, as {identity.title}", args.secrets, "Secrets", seconds[kind])
        if kind == "ours":
            row.against, row.raw = "POST by urllib3, 16 threads", seconds["raw"]
        row.cpu, row.peak = statistics.median(each.cpu for each, _ in pairs), max(each.peak for each, _ in pairs)
        row.notes = merged([notes for _, notes in pairs])
        yield row


def merged(notes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of each figure of all rounds."""
    found = {}
    for key, first in notes[0].items():
        values = [each[key] for each in notes]
        if isinstance(first, dict):
            found[key] = merged(values)
        else:
            found[key] = first if isinstance(first, str) else round(statistics.median(values), 2)
    return found


# --- identities


def administrator() -> raw.Server:
    """Return the API server, as its administrator."""
    return raw.server(os.environ["KUBECONFIG"], A)


def admitted(identity: Identity, config: Path) -> None:
    """Give both users all rights, the second one a flow schema of its own, and write a kubeconfig for both."""
    admin = administrator()
    meta = {"name": f"bench-{identity.level}"}
    users = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": identity.user(n)} for n in USERS]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    raw.ask(admin, "POST", path, {"metadata": meta, "roleRef": role, "subjects": users})
    path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
    with suppress(RuntimeError):  # there is none yet
        raw.ask(admin, "DELETE", f"{path}/{SCHEMA}")
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    who = [{"kind": "User", "user": {"name": identity.user("second")}}]
    spec = {"priorityLevelConfiguration": {"name": identity.level}, "matchingPrecedence": 500}
    spec |= {"distinguisherMethod": {"type": "ByUser"}, "rules": [{"subjects": who, "resourceRules": [everything]}]}
    raw.ask(admin, "POST", path, {"metadata": {"name": SCHEMA}, "spec": spec})
    cluster = next(
        each for each in yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["clusters"] if each["name"] == A
    )
    made = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "current-context": "mover"}
    made["contexts"] = [{"name": name, "context": {"cluster": A, "user": name}} for name in USERS]
    made["users"] = [{"name": name, "user": credentials(identity, name)} for name in USERS]
    config.write_text(yaml.safe_dump(made))


USERS = ("mover", "second")


def credentials(identity: Identity, name: str) -> dict[str, str]:
    """Return what a kubeconfig says of a user: the token of an account, or whom the administrator acts as."""
    if identity is PERSON:
        return {"token": administrator().token, "as": identity.user(name)}
    path = "/api/v1/namespaces/default/serviceaccounts"
    raw.ask(administrator(), "POST", path, {"metadata": {"name": name}})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 36000}}
    return {"token": raw.ask(administrator(), "POST", f"{path}/{name}/token", asked)["status"]["token"]}


# --- the second client, and the server's own figures


def beside(identity: Identity, config: Path, measured: Any) -> tuple[Taken, dict[str, Any]]:
    """Measure something while the second client is at work; return what it took, and what the server and it say."""
    name = f"second-{time.monotonic_ns()}"
    raw.ask(administrator(), "POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    argv = [sys.executable, __file__, "--part", "second", str(config), name]
    with tempfile.TemporaryFile("w+") as told, subprocess.Popen(argv, stdout=told, stdin=subprocess.PIPE) as second:
        time.sleep(CALM)
        before, began = figures(), time.time()
        took = measured()
        after, ended = figures(), time.time()
        time.sleep(CALM)
        second.communicate()
        told.seek(0)
        latencies = json.loads(told.read().splitlines()[-1])["more"]["latencies"]
    noticed = {
        what: by_time([(at, ms) for at, ms, verb in latencies if verb in verbs], began, ended)
        for what, verbs in (("GET and POST", ("GET", "POST")), ("LIST", ("LIST",)))
    }
    return took, levels(identity, before, after, ended - began) | noticed


def by_time(latencies: list[tuple[float, float]], began: float, ended: float) -> dict[str, Any]:
    """Return the percentiles of (time, ms) before, during and after, and how they compare.

    A LIST is apart: as lists are consistent by default, the watch cache of a kind that nobody writes has to be told of
    the newest revision first, ten times a second, if anybody writes anything at all (KEP-2340).
    """
    parts = {
        "before": [ms for at, ms in latencies if began - CALM + 1 < at < began],
        "during": [ms for at, ms in latencies if began <= at < ended],
        "after": [ms for at, ms in latencies if at >= ended + 1],
    }
    p50, p99 = ({when: percentile(values, q) for when, values in parts.items()} for q in (50, 99))
    return {
        "p50 ms": p50,
        "p99 ms": p99,
        "p99 ratio": p99["during"] / max(p99["before"], p99["after"]),
        "p50 ratio": p50["during"] / p50["before"],
    }


def percentile(values: list[float], q: int) -> float:
    """Return a percentile of latencies, in ms."""
    return statistics.quantiles(values, n=100, method="inclusive")[q - 1]


def figures() -> dict[tuple[str, str, str], float]:
    """Return (metric, flow schema or "", priority level) → value of API Priority and Fairness."""
    admin = administrator()
    with admin.pool() as pool:
        text = pool.request("GET", f"{admin.url}/metrics", headers=admin.headers).data.decode()
    found: dict[tuple[str, str, str], float] = {}
    for line in text.splitlines():
        if line.startswith(FLOW):
            metric, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            named = dict(re.findall(r'(\w+)="([^"]*)"', labels or ""))
            key = metric.removeprefix(FLOW), named.get("flow_schema", ""), named.get("priority_level", "")
            found[key] = found.get(key, 0.0) + float(value)
    return found


def levels(identity: Identity, before: dict[Any, float], after: dict[Any, float], seconds: float) -> dict[str, Any]:
    """Return what Kubeferry's flow schema did meanwhile: its share of the level, its refusals, how long it waited."""

    def grown(metric: str, schema: str) -> float:
        key = metric, schema, identity.level
        return after.get(key, 0.0) - before.get(key, 0.0)

    ours, theirs = (grown("request_execution_seconds_sum", each) for each in (identity.schema, SCHEMA))
    sent = grown("dispatched_requests_total", identity.schema)
    return {
        "priority level": identity.level,
        "its seats": after["nominal_limit_seats", "", identity.level],
        "requests": sent,
        "executing at once": ours / seconds,
        "share of the level's execution": ours / (ours + theirs) if ours + theirs else 0.0,
        "queued ms a request": 1000 * grown("request_wait_duration_seconds_sum", identity.schema) / max(sent, 1),
        "429s": grown("rejected_requests_total", identity.schema),
    }


# --- parts


def post(config: str, namespace: str, count: str) -> str:
    """POST Secrets as `mover`, by 16 threads of plain urllib3."""
    to, requests = acting(config, "mover"), bodies(namespace, int(count))
    began, cpu = time.perf_counter(), time.process_time()
    raw.post("urllib3", to, requests)
    return taken(began, cpu)


def acting(config: str, name: str) -> raw.Server:
    """Return the API server as `mover` or `second`."""
    users = {each["name"]: each["user"] for each in yaml.safe_load(Path(config).read_text())["users"]}
    found = raw.server(config, name)
    return raw.Server(found.url, found.ca, found.token, users[name].get("as", ""))


def second(config: str, namespace: str) -> str:
    """GET, LIST and POST in turn until stdin ends; print (time, ms, verb) of each request."""
    import selectors

    to, number, latencies = acting(config, "second"), 0, []
    path = f"{to.url}/api/v1/namespaces/{namespace}/configmaps"
    ends = selectors.DefaultSelector()
    ends.register(sys.stdin, selectors.EVENT_READ)
    began, cpu = time.perf_counter(), time.process_time()
    with to.pool() as pool:
        while not ends.select(PAUSE):
            body = orjson.dumps({"metadata": {"name": f"c-{number}"}, "data": {"number": str(number)}})
            for verb, url, sent in (
                ("POST", path, body),
                ("GET", f"{path}/c-{number}", None),
                ("LIST", f"{path}?limit=50", None),
            ):
                at, start = time.time(), time.perf_counter()
                answer = pool.request("POST" if sent else "GET", url, body=sent, headers=to.headers)
                latencies.append((at, 1000 * (time.perf_counter() - start), verb))
                if answer.status >= 400 and answer.status != 429:
                    raise RuntimeError(f"second client: {answer.status} {answer.data[:200]!r}")
            number += 1
    return taken(began, cpu, latencies=latencies)


# --- a server that throttles


def throttled(secrets: int) -> document.Row:
    """Restore through a proxy that refuses a third of all requests with 429 and Retry-After: 1."""
    from tests.faults.actions import answer
    from tests.faults.proxy import Storm, proxying

    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    entry = next(each for each in config["clusters"] if each["name"] == A)
    authority = Path(os.environ["KUBECONFIG"]).parent / A / "pki" / "ca.crt"
    with proxying(entry["cluster"]["server"], authority) as proxy, tempfile.TemporaryDirectory() as folder:
        entry["cluster"] = {"server": proxy.url}
        path = Path(folder) / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        proxy.rules = [Storm(random.Random(20), 1 / 3, [answer(429, after=1)])]  # noqa: S311 - no secret is made of it
        argv = ("--kubeconfig", str(path), "--context", A, "--map", f"{NAMESPACE}=throttled")
        took = command("restore", "saved", *argv)
        notes = {"429s": sum(proxy.injected.values()), "requests": sum(proxy.seen.values())}
        proxy.rules = []
    row = document.Row("restore, command, a third answered 429", secrets, "Secrets", [took.seconds], cpu=took.cpu)
    row.peak, row.notes = took.peak, notes
    return row


PARTS = {"post": post, "second": second}

if __name__ == "__main__":
    main()
