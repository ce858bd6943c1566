"""Time the pure rules on large and hostile input: `python tests/bench/bench_rules.py`.

Each row is one rule on one input: seconds of CPU for a size and for a larger one, and the ratio of the two, which says
whether the cost is that of the input (about the ratio of the sizes) or grows faster. It asserts nothing: figures go
into notes, not tests.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from kubeferry.tasks.core.graph.closure import closure, selected
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.tokens import tokens
from kubeferry.tasks.core.transform.rename.dns_names import Hosts, uses

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
UID = "0d5b3c5e-2f6a-4f0e-9d1b-1c2d3e4f5a6b"
HOSTILE = (
    *("10.0.0.1 ", "1.", "1", ":", "fd00:", "::1:", "-", "abcd-", UID[:-1], "a.b.", "a", "/10.0.0.1", ".pod"),
    *("x: 10.0.0.2", "a.", "a-", "\\", "*.", "svc.", "shop.svc.", "web.shop", "web.shop:", "@web.shop ", "http:"),
)
"""What texts are made of, over and over, that a search could take for the beginning of something each time."""


def main() -> None:
    """Print the table."""
    print(f"{'rule':<28}{'input':<22}{'small':>10}{'large':>10}{'ratio':>8}{'sizes':>8}")
    for part in HOSTILE:
        row("values in a text", part, lambda size, part=part: search(part, size), 20_000, 200_000)
    for part in HOSTILE:
        row("hosts in a text", part, lambda size, part=part: hosts(part, size), 20_000, 200_000)
    row(
        "values in a text", "10,000 values known", lambda size: search("x: 10.0.0.2 fd00::9 ", 100_000, size), 2, 10_000
    )
    row("levels", "a graph", lambda size: levels(size, tied=False), 10_000, 100_000)
    row("levels", "one cycle of all", lambda size: levels(size, tied=True), 3_000, 30_000)
    row("closure", "a graph", closed, 10_000, 100_000)


def row(rule: str, what: str, work: Callable[[int], Callable[[], object]], small: int, large: int) -> None:
    """Print the seconds of one rule for two sizes."""
    first, second = (best(work(size)) for size in (small, large))
    ratio = second / max(first, 1e-6)
    print(f"{rule:<28}{what!r:<22}{first:>10.4f}{second:>10.4f}{ratio:>8.1f}{large / small:>8.0f}", flush=True)


def best(work: Callable[[], object]) -> float:
    """Return the least seconds of CPU of some rounds."""

    def once() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    return min(once() for _ in range(ROUNDS))


def search(part: str, size: int, known: int = 10_000) -> Callable[[], object]:
    """Look for known addresses in a text of `size` characters."""
    values = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(1 << 16, known + (1 << 16))]
    table = dict.fromkeys(["10.0.0.1", "fd00::1", UID, *values], "")
    text = part * (size // len(part))
    return lambda: tokens(text, table)


def hosts(part: str, size: int) -> Callable[[], object]:
    """Look for DNS names of renamed namespaces in a text of `size` characters."""
    table = Hosts({"shop": "shop2"}, {"shop": {"web"}})
    text = part * (size // len(part)) + " shop"
    return lambda: list(uses(text, table))


def levels(size: int, *, tied: bool) -> Callable[[], object]:
    """Sort a graph of `size` objects with three times as many edges; `tied`: all are in one cycle."""
    chosen = random.Random(7)  # noqa: S311 - the same graph in each run
    refs = [Ref("g", "Thing", f"ns{n % 200}", f"t{n:06}") for n in range(size)]
    edges = [
        Edge(refs[n], refs[chosen.randrange(size if tied else n)], Strength(1 + n % 4), "x" * k)
        for n in range(1, size)
        for k in range(3)
    ]
    return lambda: order(refs, edges)


def closed(size: int) -> Callable[[], object]:
    """Find all that one object of `size` needs: all of them."""
    chosen = random.Random(7)  # noqa: S311 - the same graph in each run
    refs = [Ref("g", "Thing", "shop", f"t{n}") for n in range(size)]
    edges = [Edge(refs[n - 1], refs[n], Strength.REFERENCE, "") for n in range(1, size)]
    edges += [Edge(refs[n], refs[chosen.randrange(size)], Strength.REFERENCE, "") for n in range(size)]
    return lambda: closure(selected({refs[0]: "x"}), edges, set(refs))


if __name__ == "__main__":
    main()
