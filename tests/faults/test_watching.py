"""Faults while a restore waits: a watch that breaks is taken up again, and what it missed is not missed."""

import pytest

from tests.faults.actions import answer, cut, cut_stream, delay
from tests.faults.proxy import EVERY, Rule

WATCHES = "watch=1"
GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}\n'

FAULTS = {
    "429": answer(429, after=1),
    "500": answer(500),
    "503": answer(503),
    "410 at once": answer(410, body=GONE),
    "410 in the stream": answer(200, body=GONE),
    "no events": answer(200, body=b""),
    "half an event": answer(200, body=b'{"type":"MODIFIED","obj'),
    "a web page": answer(200, body=b"<html>log in\n</html>\n", headers={"Content-Type": "text/html"}),
    "no event": answer(200, body=b'{"kind":"Status"}\n[]\n'),
    "slow": delay(0.2),
    "cut before": cut,
    "cut at the beginning": cut_stream(0),
    "cut in the second event": cut_stream(1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_watches_that_break_at_first(rig, shop, fault):
    rig.b.rules = [rule := Rule("GET", WATCHES, FAULTS[fault], range(1, 4))]
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
    assert rule.done == 3


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in ("429", "500", "503", "cut before")])
def test_watches_that_always_break(rig, shop, fault):
    """Lists alone will do."""
    rig.b.rules = [rule := Rule("GET", WATCHES, FAULTS[fault], EVERY)]
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
    assert rule.done > 0


@pytest.mark.parametrize("fault", ["429", "500", "503", "cut before"])
def test_watches_that_are_always_refused(rig, shop, fault):
    rig.b.rules = [rule := Rule("GET", WATCHES, FAULTS[fault], EVERY)]
    with rig.in_vain("the proxy says no|out of reach") as copy:
        rig.restore(shop.saved, map={shop.ns: copy})
    assert rule.done > 6
    rig.once_more(shop, copy)
