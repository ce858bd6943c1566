"""A changed string is explained only when the rewrites that a restore reported make the new text out of the old."""

import base64

import pytest

from kubeferry.tasks.core.compare.explain import reason
from kubeferry.tasks.core.formats.records import Cause, Rewrite


def rewrite(old, new, why="namespace renamed: DNS name", cause="renamed"):
    return Rewrite(object="ConfigMap shop/c", path="/data/a", old=old, new=new, why=why, cause=Cause(cause))


def encoded(text):
    return base64.b64encode(text.encode()).decode()


SHOP = rewrite("web.shop.svc", "web.copy.svc")
ADDRESS = rewrite("10.0.0.1", "10.0.0.2", "Pod shop/a → status.podIP", "looked-up")
LONGER = rewrite("10.0.0.11", "10.0.0.22", "Pod shop/b → status.podIP", "looked-up")


@pytest.mark.parametrize(
    ("old", "new", "rewrites", "why"),
    [
        ("http://web.shop.svc/", "http://web.copy.svc/", [SHOP], "namespace renamed: DNS name"),
        ("10.0.0.1", "10.0.0.2", [ADDRESS], "looked up on the target"),
        ("10.0.0.1,10.0.0.11", "10.0.0.2,10.0.0.22", [ADDRESS, LONGER], "looked up on the target"),
        (
            "web.shop.svc=10.0.0.1",
            "web.copy.svc=10.0.0.2",
            [SHOP, ADDRESS],
            "looked up on the target; namespace renamed: DNS name",
        ),
        (encoded("a 10.0.0.1"), encoded("a 10.0.0.2"), [ADDRESS], "looked up on the target"),
        ("web.shop.svc", "web.other.svc", [SHOP], None),
        ("web.shop.svc 1", "web.copy.svc 2", [SHOP], None),
        ("web.shop.svc web.shop.svc", "web.copy.svc web.shop.svc", [SHOP], None),
        ("10.0.0.11", "10.0.0.21", [ADDRESS], None),
        ("a10.0.0.1", "a10.0.0.2", [ADDRESS], None),
        ("10.0.0.1a", "10.0.0.2a", [ADDRESS], None),
        ("other", "other", [SHOP], None),
        ("a", "b", [], None),
        ("", "x", [rewrite("", "x")], None),
        (7, 8, [SHOP], None),
        ("web.shop.svc", None, [SHOP], None),
    ],
)
def test_only_the_rewrites_that_were_reported_explain_a_text(old, new, rewrites, why):
    assert reason(old, new, rewrites) == why
