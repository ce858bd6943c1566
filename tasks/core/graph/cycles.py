"""Find the cycles of a directed graph, and decide which edges to give up so that nothing waits for itself.

Cycles lie in strongly connected components of more than one node. Tarjan's algorithm (Depth-first search and linear
graph algorithms, 1972) finds them in linear time, here without recursion, so that a chain may have any length.

The feedback arcs come from a depth-first search against the direction of need. A link that closes a cycle is given up,
unless the path there has a weaker one: then that one is given up, and the search continues before it. A finished node
is not visited again, so a component of 100,000 objects takes seconds. The same component loses the same links; of a
cycle of equally strong ones, the link whose source comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


T = TypeVar("T")


def strongly_connected(graph: Mapping[T, Collection[T]]) -> list[list[T]]:
    """Return the nodes of each strongly connected component; `graph` maps every node to its successors, in order."""
    walk = _Walk(graph)
    for node in graph:
        if node not in walk.index:
            walk.from_root(node)
    return walk.found


class _Walk(Generic[T]):
    def __init__(self, graph: Mapping[T, Collection[T]]) -> None:
        self.graph = graph
        self.index: dict[T, int] = {}
        self.low: dict[T, int] = {}
        self.open: dict[T, None] = {}
        """Nodes whose component is not known yet, in the order in which they were visited."""
        self.found: list[list[T]] = []

    def from_root(self, root: T) -> None:
        path: list[tuple[T, Iterator[T]]] = [(root, self._enter(root))]
        while path:
            node, successors = path[-1]
            following = self._next(node, successors)
            if following is not None:
                path.append((following, self._enter(following)))
                continue
            path.pop()
            if path:
                above = path[-1][0]
                self.low[above] = min(self.low[above], self.low[node])
            self._leave(node)

    def _enter(self, node: T) -> Iterator[T]:
        self.index[node] = self.low[node] = len(self.index)
        self.open[node] = None
        return iter(self.graph[node])

    def _next(self, node: T, successors: Iterator[T]) -> T | None:
        for each in successors:
            if each not in self.index:
                return each
            if each in self.open:
                self.low[node] = min(self.low[node], self.index[each])
        return None

    def _leave(self, node: T) -> None:
        """Close the component of `node`, if `node` is the first of it that was visited."""
        if self.low[node] != self.index[node]:
            return
        component = [self.open.popitem()[0]]
        while component[-1] != node:
            component.append(self.open.popitem()[0])
        if len(component) > 1:
            self.found.append(component)


Link = tuple[int, int]
"""(source, target): the source waits for the target."""


def feedback_arcs(needed_by: Mapping[int, Sequence[tuple[int, int]]]) -> list[Link]:
    """Return the links to give up so that no cycle is left.

    `needed_by` maps every node of a component to (node that waits for it, strength of that link); its order and that of
    its lists decide between links of the same strength.
    """
    search = _Search(needed_by)
    for node in needed_by:
        search.begin(node)
    return search.given_up


class _Search:
    def __init__(self, needed_by: Mapping[int, Sequence[tuple[int, int]]]) -> None:
        self.needed_by = needed_by
        self.given_up: list[Link] = []
        self.dropped: set[Link] = set()
        self.done: set[int] = set()
        self.path: list[tuple[int, Iterator[tuple[int, int]]]] = []
        """The path from the start node, each node with the waiting nodes that were not visited yet."""
        self.at: dict[int, int] = {}
        """Node → its index on the path."""
        self.steps: dict[int, list[int]] = {}
        """Strength → the indexes on the path that a link of that strength leads to, ascending."""

    def begin(self, node: int) -> None:
        if node in self.done:
            return
        self._enter(node)
        while self.path:
            node, waiting = self.path[-1]
            for source, strength in waiting:
                if source in self.done or (source, node) in self.dropped:
                    continue
                if source in self.at:
                    self._cut(source, node, strength)
                else:
                    self.steps.setdefault(strength, []).append(len(self.path))
                    self._enter(source)
                break
            else:
                self._leave()
                self.done.add(node)

    def _enter(self, node: int) -> None:
        self.at[node] = len(self.path)
        self.path.append((node, iter(self.needed_by[node])))

    def _leave(self) -> None:
        node, _ = self.path.pop()
        del self.at[node]
        for places in self.steps.values():
            if places and places[-1] == len(self.path):
                places.pop()

    def _cut(self, source: int, target: int, strength: int) -> None:
        """Give up the weakest link of the cycle that `source` waiting for `target` closes."""
        begins = self.at[source]
        weaker = [each for each, places in self.steps.items() if each < strength and places and places[-1] > begins]
        if not weaker:
            self._drop((source, target))
            return
        place = self.steps[min(weaker)][-1]
        self._drop((self.path[place][0], self.path[place - 1][0]))
        while len(self.path) > place:
            self._leave()

    def _drop(self, link: Link) -> None:
        self.given_up.append(link)
        self.dropped.add(link)
