"""The script is bash that means nothing but what the plan says, whatever names and contents the archive holds."""

import json
import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from kubeferry.tasks.core.formats.links import Owner
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.kubectl.bash import heredoc
from kubeferry.tasks.core.plan.kubectl.script import OWNERS, script, wait_for
from kubeferry.tasks.core.plan.parts import Part, Parts

SPACE = Ref("", "Namespace", "", "shop")
ODD = [
    "plain",
    "'; touch pwned; '",
    "$(touch pwned)",
    "`touch pwned`",
    "KUBEFERRY\nKUBEFERRY\ntouch pwned\n",
    "a\\'b\"c\td\x00e\x7f",
    "Καλημέρα 🛒 &\u2028 \\1",
    OWNERS,
]

KUBECTL = r"""#!/usr/bin/env bash
# Stands for kubectl: keeps what it is given on stdin, one file a create.
case "$*" in
  create*) IFS= read -r -d '' got || true; printf '%s' "$got" > "$OUT/$(ls "$OUT" | wc -l)" ;;
  *metadata.uid*) IFS= read -r -d '' got || true; [[ $got == *absent* ]] || printf '%s' 'new-uid-1' ;;
  *patch*) IFS= read -r -d '' got || true; printf '%s\n%s' "$*" "$got" > "$OUT/patch" ;;
esac
"""


@pytest.fixture
def run(tmp_path):
    """Run a script with a stand-in for kubectl; returns its exit code, what it printed and what it created."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o700)
    (tmp_path / "out").mkdir()

    def done(parts, bodies):
        path = tmp_path / "restore.sh"
        path.write_text("".join(script(parts, bodies.__getitem__, bodies.__getitem__)))
        env = {"PATH": os.environ["PATH"], "KUBECTL": str(tmp_path / "kubectl"), "OUT": str(tmp_path / "out")}
        argv = [shutil.which("bash"), str(path)]
        ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
        assert not (tmp_path / "pwned").exists()
        names = sorted(
            (each for each in (tmp_path / "out").iterdir() if each.name != "patch"), key=lambda at: int(at.name)
        )
        return ended, [json.loads(each.read_text()) for each in names]

    return done


def config(name, data, **meta):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"} | meta,
        "data": data,
    }


def parts_of(bodies, edges=(), owners=None):
    refs = [Ref.of(obj) for obj in bodies]
    items = {ref: Part(ref, ref, "v1", "", owners=(owners or {}).get(ref, ())) for ref in [SPACE, *refs]}
    found = {SPACE: {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}}
    found |= dict(zip(refs, bodies, strict=True))
    return Parts("b", "file:///s", {"shop": "shop"}, items, [SPACE], [], order(refs, edges)), found


def test_odd_names_and_contents_arrive_as_they_are(run):
    bodies = [config(f"{n}{odd}", {odd: odd}) for n, odd in enumerate(ODD)]
    ended, created = run(*parts_of(bodies))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert created[0]["kind"] == "Namespace"
    assert created[1:] == bodies
    assert "\x00" not in ended.stdout
    assert "\x7f" not in ended.stdout


def test_a_mebibyte_is_no_argument(run):
    body = config("big", {"a": "x" * (1 << 20), "b": "🛒" * 1000}, ownerReferences=[])
    owner = Owner("v1", "ConfigMap", "there", "old", controller=True)
    ended, created = run(*parts_of([body], owners={Ref.of(body): (owner,)}))
    assert (ended.returncode, ended.stderr) == (0, "")
    [reference] = created[1]["metadata"].pop("ownerReferences")
    assert reference == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "there",
        "controller": True,
        "uid": "new-uid-1",
    }
    assert created[1]["data"] == body["data"]


def test_an_owner_that_is_not_there_is_left_out_and_reported(run):
    body = config("child", {})
    owners = (Owner("v1", "ConfigMap", "absent-'1'", "old"), Owner("v1", "ConfigMap", "there", "old"))
    ended, created = run(*parts_of([body], owners={Ref.of(body): owners}))
    assert [each["name"] for each in created[1]["metadata"]["ownerReferences"]] == ["there"]
    assert "ConfigMap shop/child is not owned by ConfigMap absent-'1', which is not on the target" in ended.stdout


def test_an_owner_that_is_refused_is_reported(run):
    body = config("child", {})
    parts, bodies = parts_of([body])
    parts.items[Ref.of(body)] = replace(parts.items[Ref.of(body)], unowned=("Pod $(touch pwned), which is elsewhere",))
    ended, created = run(parts, bodies)
    assert created[1] == body
    assert "note      ConfigMap shop/child is not owned by Pod $(touch pwned), which is elsewhere" in ended.stdout


def test_an_owner_that_comes_later_is_linked_at_the_end(run, tmp_path):
    child, parent = config("child", {}), config("parent", {})
    edges = [Edge(Ref.of(parent), Ref.of(child), Strength.EXPLICIT, "x")]
    owner = Owner("v1", "ConfigMap", "parent", "old")
    ended, created = run(*parts_of([child, parent], edges, {Ref.of(child): (owner,)}))
    assert ended.returncode == 0
    assert "ownerReferences" not in created[1]["metadata"]
    assert '"name":"parent","uid":"new-uid-1"' in (tmp_path / "out" / "patch").read_text()
    assert "re-linked ConfigMap shop/child" in ended.stdout


def test_the_script_warns_of_its_secrets_and_counts_them():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}
    parts, bodies = parts_of([secret])
    assert "WARNING: This script holds the contents of 1 Secret in the clear" in next(
        script(parts, bodies.__getitem__, bodies.__getitem__)
    )


def test_a_service_has_a_second_form_without_its_node_ports():
    ports = [{"port": 80, "nodePort": 30080}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "shop"},
        "spec": {"ports": ports},
    }
    parts, bodies = parts_of([service])
    text = "".join(script(parts, bodies.__getitem__, bodies.__getitem__))
    assert "otherwise <<'KUBEFERRY'\n" in text
    assert text.count('"nodePort":30080') == 1


def test_no_line_of_a_document_is_its_end():
    assert heredoc("KUBEFERRY\nKUBEFERRY_") == "<<'KUBEFERRY__'\nKUBEFERRY\nKUBEFERRY_\nKUBEFERRY__\n"


@pytest.mark.parametrize(
    ("version", "kind", "more", "waits"),
    [
        ("apps/v1", "Deployment", {}, "ready_rollout"),
        ("apps/v1", "Deployment", {"spec": {"paused": True}}, ""),
        ("apps/v1", "StatefulSet", {"spec": {"updateStrategy": {"type": "OnDelete"}, "replicas": 2}}, "Replicas}=2"),
        ("apps/v1", "StatefulSet", {"spec": {"updateStrategy": {"type": "OnDelete"}, "replicas": 0}}, ""),
        ("batch/v1", "Job", {"spec": {"suspend": True}}, ""),
        ("batch/v1", "Job", {}, "startTime"),
        ("v1", "Secret", {"type": "Opaque"}, ""),
        ("v1", "Secret", {"type": "kubernetes.io/service-account-token"}, ".data.token"),
        ("v1", "ConfigMap", {}, ""),
        ("rbac.authorization.k8s.io/v1", "Role", {}, ""),
        ("example.com/v1", "Order", {}, "ready_custom"),
    ],
)
def test_what_is_waited_for(version, kind, more, waits):
    command = wait_for({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}} | more)
    assert waits in command
    assert bool(command) == bool(waits)
