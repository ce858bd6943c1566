"""Owners that an object cannot have anywhere are distinguished from those that it has."""

import pytest

from kubeferry.tasks.core.formats.links import Links, Owner
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.ownership import FORMER, IN_A_NAMESPACE, Owners

CONFIG, ROLE = Ref("", "ConfigMap", "shop", "child"), Ref("rbac.authorization.k8s.io", "ClusterRole", "", "child")


def owner(kind="ConfigMap", uid="u-1", group=""):
    return Owner(f"{group}/v1" if group else "v1", kind, "boss", uid)


def refusal(child, named, **known):
    """Return what is reported of an owner, when objects are known: uid → identity."""
    owners = Owners()
    for uid, ref in known.items():
        owners.add(ref, Links(uid=uid.replace("_", "-")))
    return owners.refusal(child, named)


BOSS, TWIN = Ref("", "ConfigMap", "bank", "boss"), Ref("", "ConfigMap", "shop", "boss")
FLEET = Ref("example.com", "Fleet", "", "boss")


@pytest.mark.parametrize(
    ("child", "named", "known", "expected"),
    [
        (CONFIG, owner(), {"u_1": TWIN}, ""),
        (CONFIG, owner(), {}, ""),
        (CONFIG, owner(), {"u_1": BOSS}, "is in another namespace, bank"),
        (CONFIG, owner(), {"u_1": BOSS, "u_2": TWIN}, "is in another namespace, bank"),
        (CONFIG, owner(), {"u_2": TWIN}, FORMER),
        (CONFIG, owner(uid=""), {"u_2": TWIN}, ""),
        (CONFIG, owner("Fleet", group="example.com"), {"u_1": FLEET}, ""),
        (CONFIG, owner("Fleet", group="example.com"), {"u_2": FLEET}, FORMER),
        (ROLE, owner("Fleet", group="example.com"), {"u_1": FLEET}, ""),
        (ROLE, owner("Fleet", group="example.com"), {}, ""),
        (
            ROLE,
            owner("Fleet", group="example.com"),
            {"u_1": Ref("example.com", "Fleet", "shop", "boss")},
            IN_A_NAMESPACE,
        ),
        (ROLE, owner(), {"u_1": TWIN}, IN_A_NAMESPACE),
        (ROLE, owner(), {}, IN_A_NAMESPACE),
        (ROLE, owner("Namespace"), {}, ""),
        (ROLE, owner("Deployment", group="apps"), {}, IN_A_NAMESPACE),
        (ROLE, owner("Deployment", group="example.com"), {}, ""),
    ],
)
def test_which_owners_are_refused(child, named, known, expected):
    assert refusal(child, named, **known) == expected
