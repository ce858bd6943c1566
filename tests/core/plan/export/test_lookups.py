"""Which values of the source a chart looks up, and which a user has to set. Helm itself does it in tests/cluster."""

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read, Start
from kubeferry.tasks.core.plan.export.helm.lookups import Lookups
from kubeferry.tasks.core.plan.export.helm.text import Template
from kubeferry.tasks.core.plan.export.helm.values import Values

RELEASE = "kf-0123456789abcdef"
WEB = Ref("", "Service", RELEASE, "web")
DB = Ref("apps", "StatefulSet", RELEASE, "db")
DNS = Ref("", "Service", "kube-system", "kube-dns")
THING = Ref("x.io", "Thing", RELEASE, "one")
IP = Read("podIP", "IPv4")


def lookups(**versions):
    known = {WEB: "v1", DB: "apps/v1"} | versions
    return Lookups(Values(), Template(RELEASE), "RELEASE-NAMESPACE", known)


@pytest.mark.parametrize(
    ("steps", "call", "later"),
    [
        ((Start(WEB), Read("clusterIP", "IPv4")), 'lookup "v1" "Service" $.Release.Namespace "web"', True),
        ((Start(DB), Named("db-0"), IP), 'lookup "v1" "Pod" $.Release.Namespace "db-0"', True),
        ((Start(DNS), Read("clusterIP", "IPv4")), 'lookup "v1" "Service" "kube-system" "kube-dns"', False),
    ],
    ids=["its own Service", "a named Pod", "a Service of the cluster"],
)
def test_what_has_a_fixed_name_is_looked_up(steps, call, later):
    found = (made := lookups()).of(Chain(steps), "10.0.0.1")
    assert found.expression.startswith('include "kubeferry.address.')
    assert call in made.text()
    assert bool(made.later) is later
    assert list(made.values.defaults.values()) == [""]


@pytest.mark.parametrize(
    "steps",
    [
        (Start(Ref("apps", "Deployment", RELEASE, "web")), Newest("apps", "ReplicaSet"), Pods(0, 1), IP),
        (Nodes("node-1", (), 0), Read("nodeAddress", "IPv4")),
        (Start(THING), Read("uid")),
        (Start(Ref("", "Secret", RELEASE, "token")), Read("path", "", 0, ("data", "password"))),
    ],
    ids=["generated names", "a node", "a kind of an unknown version", "what a user's annotation reads"],
)
def test_what_a_template_cannot_find_is_a_value_to_be_set(steps):
    found = (made := lookups()).of(Chain(steps), "old")
    assert found.note.startswith("Value addresses.")
    assert list(made.values.defaults.values()) == ["old"]
    assert made.text() == ""


def test_a_second_family_and_a_later_address_are_asked_for_as_the_chain_says():
    made = lookups()
    made.of(Chain((Start(WEB), Read("clusterIP", "IPv6", 1))), "fd00::1")
    assert '"family" "IPv6" "index" 1)' in made.text()
    assert '(list "spec" "clusterIPs" "*")' in made.text()


def test_a_kind_of_the_chart_is_looked_up_by_its_version():
    made = Lookups(Values(), Template(RELEASE), "W", {THING: "x.io/v2"})
    made.of(Chain((Start(THING), Read("uid"))), "u")
    assert '.Capabilities.APIVersions.Has "x.io/v2/Thing"' in made.text()
