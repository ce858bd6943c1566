"""An API server that refuses a third of all requests with 429 and Retry-After slows a flow, and fails none.

So does API Priority and Fairness with a client whose queue is full (https://kubernetes.io/docs/concepts/cluster-administration/flow-control/).
"""

import os
import random

import pytest
from tests.faults.actions import answer
from tests.faults.proxy import Storm
from tests.support.bench import A, B
from tests.support.objects import config_map, documents

from kubeferry.flows.migrate import migrate
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.models.options_migration import MigrateOptions

pytestmark = pytest.mark.exclusive

MANY = 150
"""ConfigMaps: with them, some request of a flow is refused several times in a row."""


def busy(number):
    """Return a rule by which a third of all requests is refused, whichever these are."""
    return Storm(random.Random(f"{os.environ['KUBEFERRY_SEED']}/{number}"), 1 / 3, [answer(429, after=1)])  # noqa: S311


@pytest.fixture(scope="module")
def many(bench):
    """The name of a namespace with more objects than threads."""
    ns = bench.namespace("many")
    bench.make(documents(*(config_map(f"c-{number}", {"number": str(number)}) for number in range(MANY))), ns)
    return ns


def refusals(proxy):
    return sum(proxy.injected.values()), sum(proxy.seen.values())


def test_a_backup_is_the_same(rig, shop):
    rig.a.rules = [busy(1)]
    rig.same_backup(shop.saved, rig.backup(shop.ns))
    refused, asked = refusals(rig.a)
    assert refused > asked / 5


def test_a_restore_is_the_same(rig, shop):
    rig.b.rules = [busy(2)]
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
    refused, asked = refusals(rig.b)
    assert refused > asked / 5


def test_a_restore_of_many_objects_is_whole(rig, many):
    saved, copy = rig.backup(many), rig.bench.name()
    rig.b.rules = [busy(3)]
    result = rig.restore(saved, map={many: copy})
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    made = [each for each in rig.bench.list("ConfigMap", copy, B) if each["metadata"]["name"].startswith("c-")]
    assert len(made) == MANY
    assert refusals(rig.b)[0] > MANY / 3


def test_a_migration_is_whole(rig, shop, kiosk):
    rig.a.rules, rig.b.rules = [busy(4)], [busy(5)]
    new = {ns: rig.bench.name() for ns in (shop.ns, kiosk.ns)}
    options = MigrateOptions(namespaces=[*new], map=new, from_context=A, to_context=B, wait_seconds=60, **rig.where)
    result = rig.run(migrate(options))
    assert (result.phase, result.problems) == (Phase.COMPLETED, [])
    assert {each.phase for each in result.namespaces} == {Phase.COMPLETED}
    assert min(refusals(rig.a)[0], refusals(rig.b)[0]) > 20
