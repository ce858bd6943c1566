"""A migration that is killed by SIGKILL is resumed with what is missing, and does nothing twice."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.support.bench import A, B
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

CONTENT = "{apiVersion: v1, kind: ConfigMap, metadata: {name: web}, data: {a: b}}"
STUCK = "{apiVersion: v1, kind: ConfigMap, metadata: {name: stuck, finalizers: [example.com/wait]}}"


def test_killed_in_the_middle_it_is_resumed_with_what_is_missing(kubeferry, bench):
    names = [bench.namespace("kill") for _ in range(4)]
    for name in names:
        bench.make(CONTENT, name)
    waits = names[-1]
    # The target's namespace of that name is being deleted and cannot go yet: its restore has begun, and waits.
    bench.namespace_named(waits, B)
    bench.make(STUCK, waits, B)
    found = bench.get("Namespace", "", waits, B)
    bench.clusters[B].delete(bench.kind("Namespace", context=B), "", waits, uid=found["metadata"]["uid"])
    migration = bench.name("killed")
    where = ["--from-context", A, "--to-context", B, "--store", bench.where["store"], "-o", "json"]
    folder = Path(bench.folder) / "restores"
    with subprocess.Popen(
        [COMMAND, "migrate", *names, "--name", migration, *where], stdout=subprocess.DEVNULL
    ) as process:
        limit = time.monotonic() + LIMIT
        ends = folder / migration / "kubeferry-migration-ends"
        header = folder / f"{migration}.{waits}" / "kubeferry-restore.json"
        while not (header.exists() and len(list(ends.glob("*.json"))) == len(names) - 1):
            assert time.monotonic() < limit
            assert process.poll() is None
            time.sleep(0.05)
        # While it works, nobody else resumes it; once it is killed, it is resumed below.
        code, _, err = kubeferry("migrate", "--resume", migration, *where)
        assert code == 1, err
        assert f"migration {migration} is being worked on by migrate {migration} (process {process.pid} on " in err
        os.kill(process.pid, signal.SIGKILL)
    uids = {name: bench.get("ConfigMap", name, "web", B)["metadata"]["uid"] for name in names[:-1]}
    bench.patch("ConfigMap", waits, "stuck", {"metadata": {"finalizers": None}}, B)
    bench.until(lambda: bench.find("Namespace", "", waits, B) is None)
    code, out, err = kubeferry("migrate", "--resume", migration, *where)
    assert code == 0, err
    result = json.loads(out)
    assert {each["namespace"]: each["phase"] for each in result["namespaces"]} == dict.fromkeys(names, "Completed")
    assert bench.get("ConfigMap", waits, "web", B)
    assert uids == {name: bench.get("ConfigMap", name, "web", B)["metadata"]["uid"] for name in names[:-1]}
    assert [each["restore"] for each in result["namespaces"] if each["namespace"] == waits] == [f"{migration}.{waits}"]
    assert not (folder / migration / "kubeferry-migration-lease.json").exists()
    # Once more, there is nothing left to do.
    code, out, err = kubeferry("migrate", "--resume", migration, *where)
    assert code == 0, err
    assert json.loads(out)["namespaces"] == result["namespaces"]
