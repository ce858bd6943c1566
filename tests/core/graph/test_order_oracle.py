"""The order against graphlib and the definition of a level, on random graphs: neither is used by the order itself."""

import random
from graphlib import CycleError, TopologicalSorter

import pytest

from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.kube.objects import Ref

KINDS = [("", "Secret"), ("apps", "Deployment"), ("", "ResourceQuota"), ("example.com", "Box")]
OF_KIND = {"Secret": 1, "Deployment": 4, "ResourceQuota": 0, "Box": 6}
"""As the documentation of the order says: policy, config, workload, custom."""


def drawn(seed, cycles):
    draw = random.Random(seed)  # noqa: S311 - a random graph, repeatable
    refs = [Ref(*draw.choice(KINDS), "shop", f"o-{number}") for number in range(draw.randint(1, 60))]
    edges = []
    for _ in range(draw.randint(0, 3 * len(refs))):
        source, target = draw.randrange(len(refs)), draw.randrange(len(refs))
        if not cycles and source <= target:
            continue
        edges.append(Edge(refs[source], refs[target], draw.choice([*Strength]), f"spec.{draw.randrange(3)}"))
    waves = {ref: draw.randint(-3, 3) for ref in refs if draw.random() < 0.2}
    phases = {ref: draw.choice([*Priority]) for ref in refs if draw.random() < 0.1}
    draw.shuffle(refs)
    return refs, edges, phases, waves


def places(refs, needs, phases, waves):
    """Return (wave, priority, depth) of each object by their definition, along a sequence of graphlib."""
    graph = {ref: {edge.target for edge in needs.get(ref, ())} for ref in refs}
    sequence = [*TopologicalSorter(graph).static_order()]
    wave = {ref: waves.get(ref, 0) for ref in refs}
    for ref in reversed(sequence):
        for target in graph[ref] - waves.keys():
            wave[target] = min(wave[target], wave[ref])
    found = {}
    for ref in sequence:
        needed = [found[target] for target in graph[ref]]
        at = max([wave[ref], *(each[0] for each in needed)])
        priority = max([int(phases.get(ref, OF_KIND[ref.kind])), *(each[1] for each in needed if each[0] == at)])
        depth = max([each[2] + 1 for each in needed if each[:2] == (at, priority)], default=0)
        found[ref] = (at, priority, depth)
    return found


@pytest.mark.parametrize("cycles", [False, True])
@pytest.mark.parametrize("seed", range(150))
def test_the_levels_are_those_of_the_definition(seed, cycles):
    """Each level holds the objects of one place, sorted, and levels come in the order of the places."""
    refs, edges, phases, waves = drawn(seed, cycles)
    made = order(refs, edges, phases, waves)
    by_place = {}
    for ref, place in places(refs, made.needs, phases, waves).items():
        by_place.setdefault(place, []).append(ref)
    assert made.levels == [sorted(by_place[place]) for place in sorted(by_place)]


@pytest.mark.parametrize("seed", range(150))
def test_only_edges_in_cycles_are_given_up(seed):
    """What is kept and what is given up is what was there, and each given up edge is in a cycle of the whole."""
    refs, edges, *_ = drawn(seed, cycles=True)
    made = order(refs, edges)
    kept = {edge for some in made.needs.values() for edge in some}
    assert kept | {*made.broken} == {edge for edge in edges if edge.source != edge.target}
    assert not kept & {*made.broken}
    for edge in made.broken:
        assert reaches(edges, edge.target, edge.source)


@pytest.mark.parametrize("seed", range(150))
def test_nothing_is_given_up_without_a_cycle(seed):
    """Graphlib says whether there is one."""
    refs, edges, *_ = drawn(seed, cycles=True)
    graph = {ref: {edge.target for edge in edges if edge.source == ref != edge.target} for ref in refs}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        assert order(refs, edges).broken
    else:
        assert not order(refs, edges).broken


def reaches(edges, start, end):
    seen, ahead = {start}, [start]
    while ahead:
        at = ahead.pop()
        following = {edge.target for edge in edges if edge.source == at} - seen
        seen |= following
        ahead += following
    return end in seen
