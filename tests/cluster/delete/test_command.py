"""`kubeferry delete` at a terminal and without one: what it would delete is shown first; nothing is deleted unasked."""

import json
import os
import pty
import signal
import subprocess
import threading
import uuid
from contextlib import contextmanager

import pytest
from tests.support.cli import COMMAND
from tests.support.limits import LIMIT

pytestmark = pytest.mark.usefixtures("kubeferry")  # it sets the environment of commands

CONFIG = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {0}, labels: {{app: web}}}}}}"
QUESTION = "Delete 1 objects? [y/N]:"


@pytest.fixture
def ns(sandbox_env, kubectl):
    """A namespace with one ConfigMap that has the label."""
    name = f"dcli-{uuid.uuid4().hex[:6]}"
    kubectl(sandbox_env, "create", "namespace", name)
    kubectl(sandbox_env, "apply", "-n", name, "-f", "-", text=CONFIG.format("web"))
    yield name
    kubectl(sandbox_env, "delete", "namespace", name, "--wait=false")


@contextmanager
def at_a_terminal(*args):
    """Run a command whose stdin is a terminal; yields the process and what answers its question."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [COMMAND, *args], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.close(theirs)
    stop = threading.Timer(LIMIT, running.kill)
    stop.start()
    try:
        yield running, lambda text: os.write(ours, text.encode())
    finally:
        stop.cancel()
        running.kill()
        running.communicate()
        os.close(ours)


def until_asked(running):
    """Return what was printed until the question."""
    output = ""
    while QUESTION not in output:
        more = running.stderr.read(1)
        assert more, f"it ended without a question: {output}"
        output += more
    return output


def there(kubectl, sandbox_env, ns):
    found = json.loads(kubectl(sandbox_env, "get", "configmaps", "-n", ns, "-l", "app=web", "-o", "json"))
    return sorted(each["metadata"]["name"] for each in found["items"])


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_what_would_be_deleted_is_shown_and_nothing_is_but_for_a_yes(kubectl, sandbox_env, ns, answer):
    with at_a_terminal("delete", "-l", "app=web", "-n", ns) as (running, say):
        shown = until_asked(running)
        say(answer)
        out, err = running.communicate()
    assert f"1  ConfigMap        1  {ns}/web" in shown
    assert (out, running.returncode) == ("", 130 if answer == "\x04" else 1)
    assert ("interrupted" if answer == "\x04" else "nothing was deleted") in err
    assert there(kubectl, sandbox_env, ns) == ["web"]


def test_a_yes_deletes_and_stdout_is_one_document(kubectl, sandbox_env, ns):
    with at_a_terminal("delete", "-l", "app=web", "-n", ns, "-o", "json") as (running, say):
        until_asked(running)
        say("y\n")
        out, _ = running.communicate()
    result = json.loads(out)
    assert (running.returncode, result["phase"], result["counts"]) == (0, "Completed", {"ConfigMap": 1})
    assert there(kubectl, sandbox_env, ns) == []


def test_a_yes_is_for_what_was_shown(kubectl, sandbox_env, ns):
    with at_a_terminal("delete", "-l", "app=web", "-n", ns) as (running, say):
        until_asked(running)
        kubectl(sandbox_env, "apply", "-n", ns, "-f", "-", text=CONFIG.format("another"))
        say("y\n")
        out, err = running.communicate()
    assert "the objects have changed since you looked" in err
    assert (out, running.returncode) == ("", 1)
    assert there(kubectl, sandbox_env, ns) == ["another", "web"]


def test_without_a_terminal_nothing_is_deleted_without_yes(kubeferry, kubectl, sandbox_env, ns):
    code, out, err = kubeferry("delete", "-l", "app=web", "-n", ns)
    assert "use --yes to delete, or --dry-run to look first" in err
    assert (code, out, there(kubectl, sandbox_env, ns)) == (2, "", ["web"])
    code, out, err = kubeferry("delete", "-l", "app=web", "--namespace", ns, "--dry-run", "-o", "json")
    assert (code, err) == (0, "")
    seen = json.loads(out)
    assert (seen["dry_run"], [each["object"] for each in seen["members"]]) == (True, [f"ConfigMap {ns}/web"])
    assert there(kubectl, sandbox_env, ns) == ["web"]
    code, out, err = kubeferry("delete", "-l", "app=web", "-n", ns, "--yes", "--expect", seen["digest"])
    assert code == 0, err
    assert "delete app=web: Completed, 1 objects" in out
    assert there(kubectl, sandbox_env, ns) == []


def test_what_is_not_deleted_is_exit_3_and_says_what_to_do(kubeferry, kubectl, sandbox_env, ns):
    hold = '{"metadata":{"finalizers":["example.com/hold"]}}'
    kubectl(sandbox_env, "patch", "configmap", "web", "-n", ns, "--type=merge", "-p", hold)
    arguments = ["delete", "-l", "app=web", "-n", ns, "--yes", "--wait-seconds", "1"]
    code, out, err = kubeferry(*arguments)
    assert code == 3, err
    assert f"ConfigMap {ns}/web" in out
    assert "it waits for example.com/hold" in out
    assert "--force-finalizers removes" in out
    code, out, err = kubeferry(*arguments, "--force-finalizers")
    assert code == 0, err
    assert "its finalizers were removed: example.com/hold" in out
    assert there(kubectl, sandbox_env, ns) == []


def test_ctrl_c_while_it_waits_ends_it_and_releases_the_namespace(kubectl, sandbox_env, ns):
    hold = '{"metadata":{"finalizers":["example.com/hold"]}}'
    kubectl(sandbox_env, "patch", "configmap", "web", "-n", ns, "--type=merge", "-p", hold)
    with at_a_terminal("delete", "-l", "app=web", "-n", ns, "--yes", "--wait-seconds", "86400") as (running, _):
        for line in running.stderr:
            if f"waiting for ConfigMap {ns}/web to go: example.com/hold keeps it" in line:
                break
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert (running.returncode, out, err.splitlines()[-1]) == (130, "", "interrupted")
    assert kubectl(sandbox_env, "get", "leases", "-n", ns, "-o", "name") == ""
    kubectl(
        sandbox_env, "patch", "configmap", "web", "-n", ns, "--type=merge", "-p", '{"metadata":{"finalizers":null}}'
    )
