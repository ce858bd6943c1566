"""Secrets are in the archive, and nowhere else: every command is run with marked ones, then everything is searched.

Searched are both streams of each command, everything below KUBEFERRY_HOME with the Prefect server's database row by
row, what its API answers, temporary files, and the store. The server and its home are this module's own. Commands
without a flow run in this process; in the others, Prefect would go on telling this server of what later tests do.
"""

import base64
import gzip
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from urllib.request import Request, urlopen

import pytest
from pyrage import x25519
from tests.support.bench import A, B
from tests.support.cli import in_another, in_process
from tests.support.kubectl import KubectlError
from tests.support.prefect_api import headers
from tests.support.secret_marks import Marks, files, rows

from kubeferry.tasks.core.formats.layout import BackupKeys, Member
from kubeferry.tasks.ports.archive import tarball
from kubeferry.tasks.ports.store.open import open_store

SAVED = ("data", "text", "annotation", "applied", "url", "docker", "setting", "immutable")
"""What is in the archive in the clear; the Helm record is in it too, packed once more."""
NEVER = ("token", "label")
"""What is in no archive of ours: the live token of an account, and what only a hostile archive holds."""
ALONE = ("list", "show", "plan")
"""Commands that run no flow."""
FORMER = ("before", "fixed")
"""What stood on the target before a restore replaced it."""

SECRETS = """
{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: robot}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: plain, annotations: {{example.com/note: {annotation}}}}}
data: {{key: {data64}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: text}}
stringData:
  password: {text}
  url: postgres://user:{url}@web.{ns}.svc.cluster.local:5432/app?host={ip}
  NAMESPACE: "{ns},{setting}"
---
apiVersion: v1
kind: Secret
metadata: {{name: docker}}
type: kubernetes.io/dockerconfigjson
data: {{.dockerconfigjson: {docker64}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: fixed}}
immutable: true
stringData: {{password: {immutable}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: sh.helm.release.v1.app.v1, labels: {{owner: helm}}}}
type: helm.sh/release.v1
data: {{release: {helm64}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: token, annotations: {{kubernetes.io/service-account.name: robot}}}}
type: kubernetes.io/service-account-token
"""

APPLIED = "{{apiVersion: v1, kind: Secret, metadata: {{name: applied}}, stringData: {{password: {applied}}}}}"
SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}"

REFUSING = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {ns}}}
spec:
  matchConstraints:
    resourceRules: [{{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [secrets]}}]
  validations:
  - expression: "!has(object.data) || !('key' in object.data)"
    messageExpression: "'never ' + string(object.data['key'])"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {ns}}}
spec:
  policyName: {ns}
  validationActions: [Deny]
  matchResources: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {ns}}}}}}}
"""


def base(text):
    return base64.b64encode(text.encode()).decode()


class Scene:
    """A namespace of marked Secrets, and the commands that were run: `outputs` has what each of them printed."""

    def __init__(self, bench, kubectl, sandbox, home):
        self.bench, self.kubectl, self.sandbox, self.home = bench, kubectl, sandbox, home
        self.kube, self.temporary = home / "kf", home / "tmp"
        self.temporary.mkdir()
        names = [*SAVED, *NEVER, *FORMER, "helm"]
        self.marks = {name: f"marked-{name}-{uuid.uuid4().hex[:10]}" for name in names}
        self.outputs = {}
        self.store = (home / "store").as_uri()
        self.sealed = (home / "sealed").as_uri()

    def make(self):
        """Make the namespace; return its name."""
        ns = self.bench.namespace("stay")
        (service,) = self.bench.make(SERVICE, ns)
        record = {"name": "app", "namespace": ns, "manifest": self.manifest(ns), "config": {"pw": self.marks["helm"]}}
        packed = base64.b64encode(gzip.compress(json.dumps(record).encode())).decode()
        docker = {"auths": {"registry.example.com": {"auth": base(f"user:{self.marks['docker']}")}}}
        more = {
            "ns": ns,
            "ip": service["spec"]["clusterIP"],
            "helm64": base(packed),
            "docker64": base(json.dumps(docker)),
        }
        self.bench.make(SECRETS.format(**self.marks, **more, data64=base(self.marks["data"])), ns)
        self.kubectl(self.sandbox, "apply", "-n", ns, "-f", "-", text=APPLIED.format(**self.marks))
        token = self.bench.until(lambda: self.bench.get("Secret", ns, "token")["data"]["token"])
        self.marks["token"] = base64.b64decode(token).decode().rpartition(".")[2][:40]  # a part of its signature
        return ns

    def manifest(self, ns):
        mark = self.marks["helm"]
        return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x, namespace: {ns}}}\nstringData: {{a: {mark}}}\n"

    def run(self, *words, code=0):
        """Run a command as a person would, its home and temporary folder our own; return what it printed on stdout."""
        env = {"KUBEFERRY_HOME": str(self.kube), "TMPDIR": str(self.temporary)}
        with mock.patch.dict(os.environ, env):
            del os.environ["PREFECT_API_URL"]  # its server is one of its own
            ended, out, err = (self.here if words[0] in ALONE else in_another)(*words)
        self.outputs[f"{len(self.outputs)} {' '.join(words)}"] = f"{out}\n{err}"
        assert ended == code, f"{words}: {err}"
        return out

    def here(self, *words):
        """Run a command in this process."""
        with mock.patch.object(tempfile, "tempdir", str(self.temporary)):
            return in_process(0)(*words)

    def refused(self, text, namespace):
        """Return what the API server says to an object that it refuses."""
        with pytest.raises(KubectlError) as caught:
            self.kubectl(self.sandbox, "create", "-n", namespace, "-f", "-", context=B, text=text)
        return str(caught.value)


@pytest.fixture(scope="module")
def scene(bench, kubectl, unset, sandbox_env):  # noqa: ARG001 - it clears the environment
    home = Path(tempfile.mkdtemp(prefix="kf-marks-"))
    made = Scene(bench, kubectl, sandbox_env, home)
    try:
        play(made)
        yield made
    finally:
        made.run("server", "stop")
        shutil.rmtree(home)


def play(scene):
    """Go every way: each step leaves its traces."""
    bench, ns = scene.bench, scene.make()
    scene.ns, to = ns, ("--store", scene.store)
    scene.run("backup", ns, "--name", "one", "--context", A, *to, "--debug", "-o", "json")
    for words in (["list"], ["show", "one"], ["show", "one", "-o", "yaml"], ["verify", "one", "--deep"]):
        scene.run(*words, *to)
    copy = bench.name("stay-copy")
    renamed = ("--map", f"{ns}={copy}")
    for form in ("table", "json", "yaml", "html"):
        scene.run("plan", "one", *renamed, *to, "-o", form)
    there = (*renamed, "--context", B, *to)
    scene.run("restore", "one", *there, "-o", "json", "--debug", "--name", "created")
    replaced(scene, copy)
    scene.run("restore", "one", *there, "--name", "conflict", code=1)
    scene.run("restore", "one", *there, "--existing", "update", "--name", "unchangeable", code=1)
    scene.run("restore", "one", *there, "--existing", "recreate", "--name", "replaced")
    scene.run("list", "--restores", *to)
    scene.run("show", "replaced", *to, "-o", "json")
    scene.run("undo", "replaced", "--yes", "--context", B, *to)
    modified(scene)
    refusals(scene, there)
    sealed(scene)


MODIFY = """
rules:
- kind: secrets
  name: applied
  merge_patches: [{metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: null}}}]
- kind: secrets
  name: plain
  merge_patches: [{metadata: {annotations: null}}]
"""
COPY = """
rules: [{kind: secrets, name: plain, patches: [{op: copy, from: %s, path: /metadata/labels}]}]
"""


def modified(scene):
    """Modify what repeats the content of a Secret; and have a patch move a value to where it would be shown."""
    copy = scene.bench.name("stay-modified")
    path = scene.home / "modify.yaml"
    to = ("--map", f"{scene.ns}={copy}", "--modify", str(path), "--store", scene.store)
    path.write_text(MODIFY)
    for form in ("table", "json", "html"):
        scene.run("plan", "one", *to, "-o", form)
    scene.run("restore", "one", *to, "--context", B, "-o", "json", "--debug", "--name", "modified")
    assert "annotations" not in scene.bench.get("Secret", copy, "plain", B)["metadata"]
    for source in ("/data", "/data/key", "/metadata/annotations", '""'):
        path.write_text(COPY % source)
        scene.run("plan", "one", *to, code=2)
    path.unlink()


def replaced(scene, copy):
    """Put other content in the place of what was restored."""
    scene.bench.patch("Secret", copy, "plain", {"data": {"key": base(scene.marks["before"])}}, B)
    scene.bench.delete("Secret", copy, "fixed", B)
    fixed = f"stringData: {{password: {scene.marks['fixed']}}}"
    scene.bench.make(f"{{apiVersion: v1, kind: Secret, metadata: {{name: fixed}}, immutable: true, {fixed}}}", copy, B)


def refusals(scene, there):
    """Restore where the API server refuses a Secret, and says its content."""
    closed = scene.bench.namespace("stay-closed", B)
    scene.bench.make(REFUSING.format(ns=closed), context=B)
    plain = f"{{apiVersion: v1, kind: Secret, metadata: {{name: try}}, data: {{key: {base(scene.marks['data'])}}}}}"

    def quoted():
        try:
            scene.kubectl(scene.sandbox, "create", "-n", closed, "--dry-run=server", "-f", "-", context=B, text=plain)
        except KubectlError as error:
            return str(error)
        return ""

    scene.bench.until(quoted)
    scene.quoted = [quoted()]
    scene.run("restore", "one", "--map", f"{scene.ns}={closed}", *there[2:], "--debug", "--name", "refused", code=1)
    hostile(scene, "theirs")
    invalid = f"{{apiVersion: v1, kind: Secret, metadata: {{name: bad, labels: {{a: {scene.marks['label']}!}}}}}}"
    scene.quoted.append(scene.refused(invalid, closed))
    scene.run("restore", "theirs", *there[2:], "--name", "invalid", code=1)


def hostile(scene, name):
    """Store an archive as Velero would write it, with a Secret that no API server takes."""
    ns, keys, store = scene.bench.name("stay-bad"), BackupKeys(name), open_store(scene.store)
    meta = {"name": "bad", "namespace": ns, "labels": {"a": scene.marks["label"] + "!"}}
    with tarball.FragmentWriter(scene.home / "part") as part:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}
        part.add(Member("namespaces", "", ns).path, json.dumps(namespace).encode())
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
        part.add(Member("secrets", ns, "bad").path, json.dumps(secret).encode())
    tarball.join([scene.home / "part"], scene.home / "tarball")
    store.put_file(keys.tarball, scene.home / "tarball")
    backup = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name}}
    store.put(keys.metadata, json.dumps(backup | {"status": {"phase": "Completed"}}).encode())
    for each in ("part", "tarball"):
        (scene.home / each).unlink()


def sealed(scene):
    """The same way with an encrypted backup, in a store of its own."""
    identity = x25519.Identity.generate()
    scene.marks["key"] = str(identity).removeprefix("AGE-SECRET-KEY-1")[:40]
    (scene.home / "key.txt").write_text(f"{identity}\n")
    to, copy = ("--store", scene.sealed), scene.bench.name("stay-sealed")
    by = ("--identity", str(scene.home / "key.txt"))
    to_whom = ("--encrypt-to", str(identity.to_public()))
    scene.run("backup", scene.ns, "--name", "one", "--context", A, *to, *to_whom, "--debug")
    scene.run("verify", "one", "--deep", *to, *by)
    scene.run("show", "one", *to, *by, "-o", "json")
    there = ("--map", f"{scene.ns}={copy}", "--context", B, *to)
    scene.run("restore", "one", *there, code=2)
    scene.run("restore", "one", *there, "--identity", str(identity), code=2)
    scene.run("restore", "one", *there, *by, "--debug", "--name", "created")
    replaced(scene, copy)
    scene.run("restore", "one", *there, *by, "--existing", "recreate", "--name", "replaced")
    scene.run("undo", "replaced", "--yes", "--context", B, *to, *by)


# --- what is found


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", "é".encode(), b'{"password":"'])
@pytest.mark.parametrize("after", [b"", b"x", b"yz", b'"}'])
def test_the_search_finds_a_mark_in_every_form(before, after):
    """And nothing where there is none."""
    mark = "marked-some-0123456789"
    once = base64.b64encode(before + mark.encode() + after)
    forms = [
        before + mark.encode() + after,
        once,
        base64.urlsafe_b64encode(once),
        base64.b64encode(before + once + after),
    ]
    for form in [*forms, mark.encode().hex().encode()]:
        assert Marks({"it": mark}).found([("here", b"{" + form + b"}")]) == ["here: it"]
    for form in (b"", b"marked-some", b"marked-some-0123456780", base64.b64encode(before + b"marked-some-" + after)):
        assert Marks({"it": mark}).found([("here", form)]) == []


def test_the_marks_were_really_there_and_really_quoted(scene):
    """The search finds what is there: the script for kubectl is known to hold Secrets, and so are refusals."""
    script = scene.run("plan", "one", "--map", f"{scene.ns}=elsewhere", "--kubectl", "--store", scene.store)
    scene.outputs.popitem()
    found = {each.partition(": ")[2] for each in Marks(scene.marks).found([("script", script.encode())])}
    assert found >= set(SAVED)
    assert Marks(scene.marks).found([("one", scene.quoted[0].encode())]) == ["one: data"]
    assert Marks(scene.marks).found([("one", scene.quoted[1].encode())]) == ["one: label"]


def test_what_is_refused_is_reported_without_what_it_holds(scene):
    errors = {key.partition("--name ")[2]: text for key, text in scene.outputs.items() if "error: " in text}
    assert "Secret" in errors["refused"]
    assert "plain" in errors["refused"]
    assert "metadata.labels" in errors["invalid"]
    assert "data.key" in errors["conflict"]
    assert {"refused", "invalid", "conflict", "unchangeable"} <= errors.keys()


def test_no_command_prints_one(scene):
    assert Marks(scene.marks).found((words, text.encode()) for words, text in scene.outputs.items()) == []
    assert sum("Flow run" in text for text in scene.outputs.values()) >= 5, "--debug did show Prefect's log"


def test_nothing_of_kubeferrys_own_keeps_one_spools_included(scene):
    assert Marks(scene.marks).found(files(scene.kube)) == []
    assert Marks(scene.marks).found(files(scene.temporary)) == []
    assert list((scene.kube / "state" / "work").glob("run-*")) == []


def test_prefect_shows_none(scene):
    """Artifacts, logs, runs and events, as its API and its UI show them."""
    url = json.loads(scene.run("server", "status", "-o", "json"))["url"]
    scene.outputs.popitem()
    answers = {what: asked(scene, url, what) for what in ("artifacts", "logs", "flow_runs", "task_runs")}
    assert Marks(scene.marks).found((what, text.encode()) for what, text in answers.items()) == []
    for name in ("one", "created", "conflict", "refused", "invalid", "replaced"):
        assert name in answers["logs"] + answers["artifacts"]


def asked(scene, url, what):
    """Return all that Prefect has of one kind; it comes a little later than a run ends."""

    def page(offset):
        body = json.dumps({"limit": 200, "offset": offset}).encode()
        with mock.patch.dict(os.environ, KUBEFERRY_HOME=str(scene.kube)):
            sent = headers(url)
        request = Request(f"{url}/{what}/filter", body, sent)  # noqa: S310 - our own, on loopback
        with urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def whole():
        found = []
        while more := page(len(found)):
            found += more
        return json.dumps(found)

    before = SimpleNamespace(text="")

    def settled():
        last, before.text = before.text, whole()
        return before.text if before.text == last and len(last) > 2 else None

    return scene.bench.until(settled)


def test_no_row_of_prefects_database_holds_one(scene):
    """When the server has stopped, nothing is left in its memory."""
    scene.run("server", "stop")
    scene.outputs.popitem()
    (database,) = scene.kube.rglob("prefect.db")
    found = list(rows(database))
    tables = {table for table, _ in found}
    assert {"flow_run", "task_run", "log", "artifact", "flow_run_state"} <= tables
    assert Marks(scene.marks).found(found) == []
    assert Marks(scene.marks).found(files(scene.kube)) == []


def test_in_a_store_they_are_in_the_archive_and_what_was_replaced_beside_the_journal(scene):
    found = Marks(scene.marks).found(files(scene.home / "store"))
    where = {}
    for each in found:
        place, _, what = each.partition(": ")
        where.setdefault(place.removesuffix(" (unpacked)"), set()).add(what)
    former = {place: what for place, what in where.items() if "/kubeferry-former/" in place}
    archives = {place: what for place, what in where.items() if place not in former}
    assert archives == {"backups/one/one.tar.gz": set(SAVED), "backups/theirs/theirs.tar.gz": {"label"}}
    assert {place.split("/")[1] for place in former} == {"replaced"}
    assert set().union(*former.values()) >= set(FORMER)


def test_in_the_store_of_an_encrypted_backup_they_are_nowhere(scene):
    assert Marks(scene.marks).found(files(scene.home / "sealed")) == []
    assert [path for path, _ in files(scene.home / "sealed") if "/kubeferry-former/" in path] != []
