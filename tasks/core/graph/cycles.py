"""Find what is tied into cycles in a directed graph: its strongly connected components of more than one node.

Tarjan's algorithm (Depth-first search and linear graph algorithms, 1972) in linear time and without recursion, so that
a chain of any length is walked. It refuses to decide which edge of a knot is given up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

T = TypeVar("T")


def knots(graph: Mapping[T, Collection[T]]) -> list[list[T]]:
    """Return the nodes of each knot; `graph` maps every node to its successors, in an order that decides theirs."""
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
        """Nodes whose component is not known yet, in the order in which they were met."""
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
        """Take the component of `node` out of what is open, if `node` was the first of it that was met."""
        if self.low[node] != self.index[node]:
            return
        component = [self.open.popitem()[0]]
        while component[-1] != node:
            component.append(self.open.popitem()[0])
        if len(component) > 1:
            self.found.append(component)
