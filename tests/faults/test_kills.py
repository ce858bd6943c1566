"""SIGKILL at random instants of a restore: resumed, all is there; undone, all is as before, object by object.

`KUBEFERRY_KILLS` says how many, `KUBEFERRY_SEED` repeats a run.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.rig import seen
from tests.support.bench import SECONDS, B, name

from kubeferry.flows.restore import restore
from kubeferry.flows.undo import undo
from kubeferry.tasks.core.errors import BackupNotFoundError
from kubeferry.tasks.core.formats.target.bundle import members_of
from kubeferry.tasks.core.kube.objects import owners_of
from kubeferry.tasks.core.models.options import RestoreOptions, UndoOptions
from kubeferry.tasks.ports.prefect import server
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

KILLS = int(os.environ.get("KUBEFERRY_KILLS", "50"))
SEED = int(os.environ["KUBEFERRY_SEED"])

OLD = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {side: a}}
data: {level: "3", extra: gone}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {password: first}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: runner, containers: [{name: web, image: nginx}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
"""What the target has before, in another form (`make_target`); the backup holds it like this."""

NEW = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: runner}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
spec: {accessModes: [ReadWriteOnce], storageClassName: standard, resources: {requests: {storage: 1Gi}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}}
"""


@pytest.fixture(scope="module")
def killer(prefect_server, sandbox_env, tmp_path_factory):  # noqa: ARG001 - the environment is the sandbox's
    """Return how a restore is started and killed after some seconds (None: never)."""
    log = tmp_path_factory.mktemp("killed") / "log"
    env = os.environ | server.environment(prefect_server, debug=False)
    argv = [sys.executable, str(Path(__file__).with_name("kill_server.py"))]
    at = Path(__file__).parents[2]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env | {"PYTHONPATH": str(at)}, cwd=at
    ) as child:

        def kill(options, seconds=None):
            asked = {"options": options.model_dump(mode="json"), "seconds": seconds, "log": str(log)}
            child.stdin.write(json.dumps(asked) + "\n")
            child.stdin.flush()
            answer = child.stdout.readline()
            assert answer, log.read_text()
            return json.loads(answer)

        yield kill
        child.stdin.close()


EVERY = 5
"""One in so many kills is of a restore with a kind of its own: then the garbage collector of Kubernetes pauses."""


@pytest.fixture(scope="module")
def sources(bench):
    """Two backups, without and with a kind of their own."""
    return made(bench, "ConfigMap"), made(bench, "Widget")


def made(bench, kind):
    """Make two namespaces in one backup, with an object of a kind that owns another; return also that kind."""
    first, second = bench.namespace("k"), bench.namespace("k")
    version = f"{bench.crd(first)}/v1" if kind == "Widget" else "v1"
    bench.make(OLD + "---" + NEW, first)
    bench.make(OLD, second)
    (owner,) = bench.make(f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: owner}}}}", first)
    tie = f"{{apiVersion: {version}, kind: {kind}, name: owner, uid: {owner['metadata']['uid']}}}"
    bench.make(f"{{apiVersion: v1, kind: Secret, metadata: {{name: owned, ownerReferences: [{tie}]}}}}", first)
    address = bench.ready("Service", first, "web")["spec"]["clusterIP"]
    bench.make(f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: address}}, data: {{web: '{address}'}}}}", first)
    for ns in (first, second):
        bench.ready("Deployment", ns, "web")
    group = version.rpartition("/")[0]
    return first, second, bench.backup(first, second).name, f"{kind}.{group}" if group else kind


def make_target(bench, ns):
    """Make a namespace of the target that has some of it in another form, and things of its own."""
    bench.namespace_named(ns, B)
    bench.make(OLD.replace("extra: gone", "own: stays").replace("replicas: 1", "replicas: 2"), ns, B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}, data: {a: b}}", ns, B)
    bench.patch("Secret", ns, "token", {"data": {"password": "c2Vjb25k"}}, B)
    bench.patch("ServiceAccount", ns, "default", {"metadata": {"annotations": {"team": "b"}}}, B)
    bench.ready("Deployment", ns, "web", B)


class Try:
    """One kill, with namespaces of its own."""

    def __init__(self, bench, source, seed):
        self.bench, self.random = bench, random.Random(seed)  # noqa: S311 - repeatable on purpose
        first, second, backup, self.owner = source
        self.old, self.new = bench.name("k"), bench.name("k")
        make_target(bench, self.old)
        self.before = seen(bench, self.old, self.new)
        self.name = name()
        self.where = {"context": B, **bench.where}
        self.options = RestoreOptions(
            backup=backup,
            name=self.name,
            map={first: self.old, second: self.new},
            existing=self.random.choice(["update", "recreate"]),
            wait_seconds=60,
            **self.where,
        )

    def state(self):
        """Return how far the journal came, None when it was never begun."""
        try:
            return open_restore(open_store(self.where["store"]), self.name).state
        except BackupNotFoundError:
            return None

    def resume(self):
        """Resume, or begin again where nothing had begun; then nothing is missing, and nothing is there twice."""
        state = self.state()
        if state is None:
            asked = self.options
        elif state.end == "Completed":
            return self.complete()
        else:
            asked = RestoreOptions(resume=self.name, **self.where)
        result = self.bench.run_flow(restore(asked))
        assert (result.phase, result.problems, result.name) == ("Completed", [], self.name)
        return self.complete()

    def complete(self):
        again = RestoreOptions(**{**self.options.model_dump(), "name": "", "existing": "fail", "bundle": False})
        result = self.bench.run_flow(restore(again))
        rest = [each for each in result.notable if each.action != "unchanged" and each.namespace]
        assert [each for each in rest if each.name != "default"] == []  # that account is merged as often as asked
        assert result.phase == "Completed"
        owned = self.bench.get("Secret", self.old, "owned", B)
        owner = self.bench.get(self.owner, self.old, "owner", B)
        assert [each["uid"] for each in owners_of(owned)] == [owner["metadata"]["uid"]]
        address = self.bench.get("Service", self.old, "web", B)["spec"]["clusterIP"]
        assert self.bench.get("ConfigMap", self.old, "address", B)["data"] == {"web": address}
        for namespace in (self.old, self.new):
            bundle = self.bench.get("Bundle", namespace, self.name, B)
            listed = {each.ref: each.uid for each in members_of(bundle)[0]}
            owned_by = {
                ref
                for ref, obj in seen(self.bench, namespace).items()
                if bundle["metadata"]["uid"] in [each["uid"] for each in owners_of(obj)]
            }
            assert owned_by <= listed.keys()
        assert self.bench.get("ConfigMap", self.old, "mine", B)["data"] == {"a": "b"}

    def undo(self):
        """Take it back; then all is as before."""
        if self.state() is not None:
            asked = UndoOptions(restore=self.name, privileged=True, wait_seconds=SECONDS, **self.where)
            for _ in range(2):  # the second does nothing
                result = self.bench.run_flow(undo(asked))
                assert (result.taken_back.left, result.phase) == ([], "Completed")
        assert seen(self.bench, self.old, self.new) == self.before
        assert self.bench.find("Namespace", "", self.new, B) is None


@pytest.fixture(scope="module")
def lasting(killer, bench, sources):
    """How many seconds a restore takes that nobody kills."""
    whole = Try(bench, sources[1], SEED)
    answer = killer(whole.options)
    assert not answer["killed"]
    whole.complete()
    whole.undo()
    return answer["seconds"]


FEW = 2
"""Kills in the tier `cluster`: one that is resumed and undone, and one that is undone."""


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=pytest.mark.soak if number >= FEW else ()) for number in range(KILLS)]
)
def test_a_killed_restore_is_resumed_or_undone(killer, bench, sources, lasting, number):
    made = Try(bench, sources[number % EVERY == 0], SEED + number)
    instant = made.random.uniform(0, lasting)
    print(f"KUBEFERRY_SEED={SEED} kill {number} after {instant:.3f} of {lasting:.3f} s, {made.options.existing}")
    answer = killer(made.options, instant)
    print(f"killed: {answer['killed']}, journal: {made.state() and made.state().levels()}")
    if number % 2 == 0:
        made.resume()
    made.undo()
