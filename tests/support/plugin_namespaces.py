"""What the tests of plug-ins share: the namespaces in tests/data/plugins, planned as a restore plans them."""

from pathlib import Path

import yaml

from kubeferry.tasks.core.formats.links import links_of, owner_ref
from kubeferry.tasks.core.graph.order import Edge, Strength, Via, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.references.find import references

DATA = Path(__file__).parent.parent / "data" / "plugins"


def loaded(name):
    return {Ref.of(obj): obj for obj in yaml.safe_load_all((DATA / f"{name}.yaml").read_text())}


def planned(objects, book):
    """Return the order of what a restore of `objects` creates."""
    edges = []
    for ref, obj in objects.items():
        owners = links_of(obj).owners
        edges += [
            Edge(ref, owner_ref(each, ref.namespace), Strength.OWNER, "metadata.ownerReferences", Via.OWNER)
            for each in owners
        ]
        edges += [Edge(ref, each.target, Strength.REFERENCE, each.path) for each in references(obj)]
        edges += book.edges(obj)
    return order(objects, edges)
