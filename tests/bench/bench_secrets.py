"""Time a backup and a restore against the API server itself, in one run: `python tests/bench/bench_secrets.py`.

Makes a namespace on the sandbox's first cluster: `--secrets` Secrets, or with `--apps` a realistic mix (27 objects an
application). Then, in each round and each in a process of its own: what the API server can do at most (raw.py), then
ours, as a flow (Prefect included) and as the command that a person types. It asserts nothing: `--json FILE` adds the
rows to a document, without it they are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import document, raw
from tests.bench.measure import A, B, clusters, command, part, phases, prefect, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.bench.measure import Taken

NAMESPACE = "bench"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
GROUPS = ("backup", "restore", "clients", "existing", "store")
POSTS, LISTS = "POST by urllib3, 16 threads", "paged LIST by urllib3"


def main() -> None:
    """Run everything, or with --part one part, which prints its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=5000)
    parser.add_argument("--apps", type=int, default=0, help="measure a realistic mix of so many applications instead")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=["backup", "restore", "clients"])
    parser.add_argument("--commands-only", action="store_true", help="leave out the flows: for large sizes")
    document.option(parser)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        print(PARTS[args.part[0]](*args.part[1:]))
        return
    with clusters():
        prefect()
        rows = [*Run(args, s3=os.environ.pop("KUBEFERRY_STORE")).all()]
    for row in rows:
        print(
            f"{row.what:24}{row.size:8}{row.median:9.2f} s{row.ratio or 0:7.2f}x{row.cpu or 0:8.1f}{row.peak or 0:7.0f}"
        )
        print(f"{'':24}{row.notes}") if row.notes else None
    if args.json:
        document.save("secrets", rows, args.json)


@dataclass
class Run:
    """One run of the benchmark: what each part took, by its row, in all rounds."""

    args: argparse.Namespace
    s3: str
    """The URL of a bucket, for the journal; all else goes to a folder, as by default."""
    took: dict[str, list[Taken]] = field(default_factory=dict)
    against: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Row → the row of its raw limit, and what that is."""

    def all(self) -> Iterable[document.Row]:
        """Measure; yield a row for each thing."""
        args = self.args
        made = mine("make-mix", args.apps) if args.apps else mine("make", A, NAMESPACE, args.secrets)
        size, unit = (int(made.more["objects"]), "objects of a mix") if args.apps else (args.secrets, "Secrets")
        for turn in range(args.rounds):
            for group in GROUPS:
                if group in args.only:
                    getattr(self, f"{group}_round")(turn)
                    print(f"round {turn + 1}, {group}; load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        for what, (of, against) in self.against.items():
            yield self._row(what, size, unit, of, against)

    def _row(self, what: str, size: int, unit: str, of: str, against: str) -> document.Row:
        found = self.took[what]
        median = sorted(found, key=lambda each: each.seconds)[len(found) // 2]
        raw_seconds = [each.seconds for each in self.took[of]] if of else []
        row = document.Row(what, size, unit, [each.seconds for each in found], against, raw_seconds, median.cpu)
        row.peak, row.notes = max(each.peak for each in found), dict(median.more)
        return row

    def _measure(self, what: str, measured: Callable[[], Taken], of: str = "", against: str = "") -> None:
        self.took.setdefault(what, []).append(measured())
        self.against.setdefault(what, (of, against))

    def _raw(self, name: str, *arguments: object) -> None:
        self.took.setdefault(name, []).append(mine(*arguments))

    def backup_round(self, turn: int) -> None:
        """Paged LIST, then our backup of the same."""
        self._raw("list", "list-mix" if self.args.apps else "list")
        if not self.args.commands_only:
            self._measure("backup, flow", partial(mine, "backup", f"flow-{turn}"), "list", LISTS)
        argv = ("backup", NAMESPACE, "--context", A, "--name", f"saved-{turn}")
        self._measure("backup, command", partial(command, *argv), "list", LISTS)

    def restore_round(self, turn: int) -> None:
        """POST of the same objects into a new namespace, then our restore into another one."""
        saved = self._saved()
        self._raw("post", *self._post("urllib3", f"raw-{turn}"))
        if not self.args.commands_only:
            flow = partial(mine, "restore", saved, f"flow-{turn}", "")
            self._measure("restore, flow", flow, "post", POSTS)
        argv = ("restore", saved, "--context", B, "--map", f"{NAMESPACE}=command-{turn}")
        self._measure("restore, command", partial(command, *argv), "post", POSTS)

    def clients_round(self, turn: int) -> None:
        """Show what other clients can do, beside the yardstick of the same round."""
        if "restore" not in self.args.only:
            self._raw("post", *self._post("urllib3", f"raw-{turn}"))
        for client in [*raw.CLIENTS][1:]:
            measured = partial(mine, *self._post(client, f"{client}-{turn}"))
            self._measure(f"raw POST, {client}", measured, "post", POSTS)

    def existing_round(self, turn: int) -> None:
        """Restore onto Secrets of the same names: `skip` onto others' content, `update` onto what it has to change."""
        saved, count = self._saved(), self.args.secrets
        for existing in ("skip", "update"):
            namespace = f"{existing}-{turn}"
            mine("make", B, namespace, count, "older")
            if existing == "update":
                mine("make", B, f"put-{turn}", count, "older")
                self._raw("put", "put", f"put-{turn}", count)
            else:
                self._raw("read", "list-of", B, namespace)
            of, against = ("put", "PUT by urllib3, 16 threads") if existing == "update" else ("read", LISTS)
            flow = partial(mine, "restore", saved, namespace, existing)
            self._measure(f"restore, --existing {existing}, flow", flow, of, against)

    def store_round(self, turn: int) -> None:
        """Write the journal of such a restore and nothing else, in a folder and in S3."""
        for name, store in (("folder", Path(os.environ["KUBEFERRY_HOME"], "store").as_uri()), ("S3", self.s3)):
            part_ = partial(mine, "journal", f"{name.lower()}-{turn}", self.args.secrets, store)
            self._measure(f"journal alone, {name}", part_)

    def _saved(self) -> str:
        """Return the name of a backup, which is made if none was measured."""
        if not self.took.get("backup, command"):
            if "saved" not in self.took:
                argv = ("backup", NAMESPACE, "--context", A, "--name", "saved")
                self.took["saved"] = [command(*argv)]
            return "saved"
        return "saved-0"

    def _post(self, client: str, namespace: str) -> tuple[object, ...]:
        if self.args.apps:
            return "post-mix", client, namespace, self.args.apps
        return "post-to", B, namespace, self.args.secrets, client


def mine(name: str, *arguments: object) -> Taken:
    """Run a part of this file in a process of its own."""
    return part(__file__, name, *arguments)


# --- parts: the raw limit


def at(context: str) -> raw.Server:
    """Return the API server of a context."""
    return raw.server(os.environ["KUBECONFIG"], context)


def _namespace(to: raw.Server, name: str) -> None:
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    raw.ask(to, "POST", "/api/v1/namespaces", obj)


def secret(number: int, word: str = "") -> dict[str, object]:
    """Return a Secret of about 1 KB as the API server keeps it; another word is other content."""
    value = base64.b64encode((number.to_bytes(4, "big") * 100) + word.encode()).decode()
    meta = {"name": f"secret-{number:06}", "labels": {"app": f"app-{number % 7}"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": {"password": value}}


def bodies(namespace: str, count: int, word: str = "") -> list[tuple[str, bytes]]:
    """Return path and body of so many Secrets."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    return [(path, json.dumps(secret(number, word)).encode()) for number in range(count)]


def make(context: str, namespace: str, count: str, word: str = "") -> str:
    """Make a namespace of Secrets."""
    _namespace(at(context), namespace)
    began, cpu = time.perf_counter(), time.process_time()
    raw.post("urllib3", at(context), bodies(namespace, int(count), word))
    return taken(began, cpu, objects=int(count))


def post_to(context: str, namespace: str, count: str, client: str = "urllib3") -> str:
    """POST the same into a new namespace, and nothing else."""
    to, requests = at(context), bodies(namespace, int(count))
    _namespace(to, namespace)
    began, cpu = time.perf_counter(), time.process_time()
    raw.post(client, to, requests)
    return taken(began, cpu)


def put(namespace: str, count: str) -> str:
    """PUT the same over what is there, by 16 threads of plain urllib3."""
    to, path = at(B), f"/api/v1/namespaces/{namespace}/secrets/"
    requests = [(f"{path}secret-{number:06}", body) for number, (_, body) in enumerate(bodies(namespace, int(count)))]
    began, cpu = time.perf_counter(), time.process_time()
    raw.put(to, requests)
    return taken(began, cpu)


def list_() -> str:
    """Read the namespace's Secrets by paged LIST, and nothing else."""
    return list_of(A, NAMESPACE)


def list_of(context: str, namespace: str) -> str:
    """Read a namespace's Secrets by paged LIST, and nothing else."""
    began, cpu = time.perf_counter(), time.process_time()
    read = sum(len(page) for page in raw.pages(at(context), f"/api/v1/namespaces/{namespace}/secrets"))
    return taken(began, cpu, mib=round(read / 2**20, 1))


# --- parts: the mix


def make_mix(apps: str) -> str:
    """Make a namespace of so many applications."""
    from tests.support import mix_made

    from kubeferry.tasks.ports.cluster.client import connect

    began, cpu = time.perf_counter(), time.process_time()
    return taken(began, cpu, objects=mix_made.make(connect(A), NAMESPACE, int(apps)))


def list_mix() -> str:
    """Read each of the types that the mix has by paged LIST, one after the other."""
    from tests.support import mix_made

    began, cpu = time.perf_counter(), time.process_time()
    for path in mix_made.paths(NAMESPACE):
        for _ in raw.pages(at(A), path):
            pass
    return taken(began, cpu)


def post_mix(client: str, namespace: str, apps: str) -> str:
    """POST the objects of the mix: accounts first, then all at once; nothing is looked up or waited for."""
    from tests.support import mix_made

    to = at(B)
    _namespace(to, namespace)
    mix_made.serve(B, namespace)
    first, rest = mix_made.requests(A, NAMESPACE, namespace, int(apps))
    began, cpu = time.perf_counter(), time.process_time()
    raw.post(client, to, first)
    raw.post(client, to, rest)
    return taken(began, cpu, objects=len(first) + len(rest))


# --- parts: ours


def backup(name: str) -> str:
    """Back the namespace up, from the start of the flow to its end."""
    from kubeferry.flows.backup import backup as flow
    from kubeferry.tasks.core.models.options import BackupOptions

    options = BackupOptions(namespaces=[NAMESPACE], context=A, name=name)
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(flow(options))
    found = json.loads(taken(began, cpu))
    return json.dumps(found | {"more": {"steps": phases("backup")}})


def restore(name: str, namespace: str, existing: str) -> str:
    """Restore it into a namespace of the second cluster, from the start of the flow to its end."""
    from kubeferry.flows.restore import restore as flow
    from kubeferry.tasks.core.models.options import RestoreOptions

    more = {"existing": existing} if existing else {}
    options = RestoreOptions(backup=name, context=B, map={NAMESPACE: namespace}, **more)
    began, cpu = time.perf_counter(), time.process_time()
    asyncio.run(flow(options))
    found = json.loads(taken(began, cpu))
    return json.dumps(found | {"more": {"steps": phases("restore")}})


def journal(name: str, secrets: str, store: str) -> str:
    """Write the journal of a restore, by as many threads, and nothing else."""
    from kubeferry.tasks.core.formats.layout import RestoreKeys
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.ports.cluster.transport import THREADS
    from kubeferry.tasks.ports.local.threads import in_threads
    from kubeferry.tasks.ports.records.journal import Journal
    from kubeferry.tasks.ports.store.open import open_store

    refs = [Ref("", "Secret", name, f"secret-{number:06}") for number in range(int(secrets))]
    uid = "7a41f0c6-3f7d-48de-8913-a1cd0e88f91f"
    began, cpu = time.perf_counter(), time.process_time()
    made = Journal(open_store(store), RestoreKeys(f"journal-{name}"), 0)
    made.begin("bench")
    made.will_create(1, refs)
    for _ in in_threads(lambda ref: made.did(1, "created", ref, uid), refs, THREADS):
        pass
    made.flush()
    made.end("Completed")
    made.close()
    return taken(began, cpu)


PARTS = {"make": make, "list": list_, "list-of": list_of, "post-to": post_to, "put": put, "backup": backup}
PARTS |= {"make-mix": make_mix, "list-mix": list_mix, "post-mix": post_mix, "restore": restore, "journal": journal}

if __name__ == "__main__":
    main()
