"""Faults while a restore waits: a watch that breaks is taken up again, and what it missed is not missed.

The pods of what is restored are held back until the watches have met their faults, so that they are really needed.
"""

import time

import pytest
from tests.faults.actions import answer, cut, cut_stream, delay, doing
from tests.faults.proxy import EVERY, Rule
from tests.faults.rig import Shop
from tests.support.bench import B
from tests.support.tiers import fast

WATCHES = "/deployments.*watch=1"
GATED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {schedulingGates: [{name: example.com/hold}], containers: [{name: web, image: web}]}
"""

GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'
PASSING = {
    "410 at once": answer(410, body=GONE),
    "410 in the stream": answer(200, body=GONE),
    "no events": answer(200, body=b""),
    "half an event": answer(200, body=b'{"type":"MODIFIED","obj'),
    "a web page": answer(200, body=b"<html>log in\n</html>\n", headers={"Content-Type": "text/html"}),
    "something else": answer(200, body=b'{"kind":"Status"}\n[]\n'),
    "slow": delay(0.2),
    "cut before": cut,
    "cut at the beginning": cut_stream(0),
    "cut in the second event": cut_stream(1),
}
"""What lists alone make up for, however often it happens."""
REFUSED = {"429": answer(429, after=1), "500": answer(500), "503": answer(503)}


@pytest.fixture(scope="module")
def gated(bench):
    """A namespace with a Deployment whose pods wait for somebody."""
    ns = bench.namespace("gated")
    bench.make(GATED, ns)
    let(bench, ns, "kubeferry-a")
    bench.ready("Deployment", ns, "web")
    return Shop(ns, "", bench.backup(ns))


def let(bench, ns, context=B):
    """Let the pods of a namespace go on."""
    pods = bench.until(lambda: bench.list("Pod", ns, context))
    for pod in pods:
        bench.patch("Pod", ns, pod["metadata"]["name"], {"spec": {"schedulingGates": None}}, context)


@pytest.mark.parametrize(
    "fault", fast([*PASSING, *REFUSED], "410 in the stream", "half an event", "cut in the second event", "503")
)
def test_watches_that_break_at_first(rig, gated, fault):
    copy = rig.bench.namespace(context=B)
    rig.b.rules = [
        rule := Rule("GET", WATCHES, (PASSING | REFUSED)[fault], range(1, 3)),
        last := Rule("GET", WATCHES, doing(lambda: let(rig.bench, copy), name="pods let go")),
    ]
    rig.same_namespace(gated, rig.restore(gated.saved, map={gated.ns: copy}))
    assert (rule.done, last.done) == (2, 1)


@pytest.mark.parametrize("fault", fast(PASSING, "410 at once", "no events", "a web page"))
def test_watches_that_always_break(rig, gated, fault):
    copy = rig.bench.namespace(context=B)
    release = doing(lambda: let(rig.bench, copy), then=PASSING[fault], name="pods let go")
    rig.b.rules = [
        last := Rule("GET", WATCHES, release, range(3, 4)),
        rule := Rule("GET", WATCHES, PASSING[fault], EVERY),
    ]
    rig.same_namespace(gated, rig.restore(gated.saved, map={gated.ns: copy}))
    assert rule.done >= 2
    assert last.done == 1


@pytest.mark.parametrize("fault", fast(REFUSED, "503"))
def test_watches_that_are_always_refused(rig, gated, fault):
    rig.b.rules = [rule := Rule("GET", WATCHES, REFUSED[fault], EVERY)]
    with rig.in_vain("the proxy says no|out of reach") as copy:
        rig.restore(gated.saved, map={gated.ns: copy})
    assert rule.done > 6


def test_watches_that_always_break_are_no_storm_of_lists(rig, gated):
    """While it waits in vain, it asks a few times a second."""
    rig.b.rules = [rule := Rule("GET", WATCHES, PASSING["cut at the beginning"], EVERY)]
    began = time.monotonic()
    with rig.in_vain("^not ready within 10 s: Deployment.apps .*/web: ") as copy:
        rig.restore(gated.saved, map={gated.ns: copy}, wait_seconds=10, rollback_on_failure=True)
    assert 0 < rule.done <= 3 * (time.monotonic() - began)
