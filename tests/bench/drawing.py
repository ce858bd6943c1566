"""Plots of what benchmarks measured, drawn as SVG from their JSON documents, with no package for it.

Each plot is one of two forms: bars, a pair for each row (ours, and the raw limit beside it), or lines over the size,
both axes logarithmic. Colours follow the reader's light or dark scheme, on a background of the plot's own.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from tests.bench.document import RESULTS, documents, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.bench.document import Row

PLOTS = RESULTS
WIDTH, LEFT, RIGHT, TOP, LINE = 760, 250, 90, 56, 30
"""Pixels: of the whole, of the margins, and of a bar with its distance."""
HEIGHT, BOTTOM = 380, 70
"""Pixels of a plot with lines."""

STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-size: 14px; font-weight: 600 }
.back { fill: #ffffff } .grid { stroke: #d0d7de } .ours { fill: #0969da; stroke: #0969da }
.raw { fill: #8c959f; stroke: #8c959f } .s2 { fill: #bf3989; stroke: #bf3989 } .s3 { fill: #1a7f37; stroke: #1a7f37 }
.s4 { fill: #9a6700; stroke: #9a6700 } .line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .back { fill: #0d1117 } .grid { stroke: #30363d } .ours { fill: #4493f8; stroke: #4493f8 }
.raw { fill: #768390; stroke: #768390 } .s2 { fill: #db61a2; stroke: #db61a2 } .s3 { fill: #3fb950; stroke: #3fb950 }
.s4 { fill: #d29922; stroke: #d29922 } }
</style>"""
CLASSES = ("ours", "s2", "s3", "s4", "raw")


@dataclass
class Plot:
    """One plot: its file's name, its title and what it shows."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)

    def svg(self) -> str:
        """Return it: lines where each thing was measured at two sizes or more, else bars."""
        sizes = {row.what: sum(each.what == row.what for each in self.rows) for row in self.rows}
        body, height = (_lines if min(sizes.values()) > 1 else _bars)(self.rows)
        view = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{escape(self.title)}">',
            STYLE,
            f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
            _text(16, 24, self.title, "title"),
            *body,
            "</svg>",
        ]
        return "\n".join(parts) + "\n"


def plots_of(path: Path) -> list[Plot]:
    """Return the plots of a document: one for each unit that its rows count."""
    document, rows = load(path)
    found: dict[str, Plot] = {}
    for row in rows:
        name = f"{document['bench']}-{row.unit.split()[0].lower()}"
        title = f"{document['bench']}: seconds, {document['machine']['cores']} cores"
        found.setdefault(name, Plot(name, title)).rows.append(row)
    return [plot for plot in found.values() if any(row.seconds for row in plot.rows)]


def write() -> None:
    """Write all plots, and delete those that no document has any more."""
    PLOTS.mkdir(exist_ok=True)
    made = {f"{plot.name}.svg": plot.svg() for path in documents() for plot in plots_of(path)}
    for old in PLOTS.glob("*.svg"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (PLOTS / name).write_text(text)


# --- bars


def _bars(rows: list[Row]) -> tuple[list[str], int]:
    """Return a bar for each row, with a thin one below it for the raw limit, and the height of the plot."""
    most = max(each for row in rows for each in (row.median, *row.raw))
    step = _round_step(most / 4)
    scale = (WIDTH - LEFT - RIGHT) / (math.ceil(most / step) * step)
    bottom = TOP + LINE * len(rows)
    parts = list(_scale_of_bars(step, scale, most, bottom))
    for number, row in enumerate(rows):
        y = TOP + LINE * number
        ratio = f" ({row.ratio:.2f}x)" if row.ratio else ""
        parts.append(_text(LEFT - 8, y + 15, f"{row.what}, {row.size:,}", anchor="end"))
        parts.append(_rect("ours", LEFT, y + 4, row.median * scale, 12))
        if row.raw:
            parts.append(_rect("raw", LEFT, y + 17, statistics.median(row.raw) * scale, 6))
        parts.append(_text(LEFT + row.median * scale + 6, y + 15, f"{_figure(row.median)} s{ratio}"))
    parts += _legend_of_bars(rows, bottom + 40)
    return parts, bottom + 54


def _scale_of_bars(step: float, scale: float, most: float, bottom: int) -> Iterator[str]:
    for number in range(math.ceil(most / step) + 1):
        x = LEFT + number * step * scale
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 4}" x2="{x:.1f}" y2="{bottom}"/>'
        yield _text(x, bottom + 16, _figure(number * step), anchor="middle")


def _legend_of_bars(rows: list[Row], y: int) -> Iterator[str]:
    against = sorted({row.against for row in rows if row.raw})
    yield _rect("ours", 16, y - 9, 10, 10)
    yield _text(32, y, "measured")
    if against:
        yield _rect("raw", 116, y - 9, 10, 10)
        yield _text(132, y, f"beside it: {'; '.join(against)}"[:95])


# --- lines


def _lines(rows: list[Row]) -> tuple[list[str], int]:
    """Return a line for each thing that was measured, seconds over size, and the height of the plot."""
    series = {row.what: [(each.size, each.median) for each in rows if each.what == row.what] for row in rows}
    values = [each for points in series.values() for each in points]
    across = _axis([size for size, _ in values], 60, WIDTH - 190)
    upward = _axis([seconds for _, seconds in values], HEIGHT - BOTTOM, TOP)
    parts = list(_grid(across, upward))
    for number, (what, points) in enumerate(series.items()):
        name = CLASSES[number % len(CLASSES)]
        places = [(across(size), upward(seconds)) for size, seconds in sorted(points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {name}" style="fill:none" points="{path}"/>')
        parts += [f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
        parts.append(_rect(name, WIDTH - 176, TOP + 20 * number, 10, 10))
        parts.append(_text(WIDTH - 160, TOP + 20 * number + 9, what))
    parts.append(_text(60, HEIGHT - 16, f"{rows[0].unit} (both axes are logarithmic)"))
    return parts, HEIGHT


class _axis:  # noqa: N801 - it is used as a function
    """A value → its pixel, by the logarithm, from the power of ten below the least to that above the largest."""

    def __init__(self, values: list[float], begin: float, end: float) -> None:
        self.low = math.floor(math.log10(max(min(values), 0.01)))
        self.high = max(math.ceil(math.log10(max(*values, 0.01))), self.low + 1)
        self.begin, self.end = begin, end

    def __call__(self, value: float) -> float:
        share = (math.log10(max(value, 0.01)) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]


def _grid(across: _axis, upward: _axis) -> Iterator[str]:
    for tick in across.ticks():
        x = across(tick)
        yield f'<line class="grid" x1="{x:.1f}" y1="{upward.end}" x2="{x:.1f}" y2="{upward.begin}"/>'
        yield _text(x, upward.begin + 18, _figure(tick), anchor="middle")
    for tick in upward.ticks():
        y = upward(tick)
        yield f'<line class="grid" x1="{across.begin}" y1="{y:.1f}" x2="{across.end}" y2="{y:.1f}"/>'
        yield _text(across.begin - 6, y + 4, f"{_figure(tick)} s", anchor="end")


# --- parts


def _rect(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _text(x: float, y: float, text: str, name: str = "", anchor: str = "start") -> str:
    of = f' class="{name}"' if name else ""
    return f'<text{of} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # two digits are noise


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `least`."""
    power = 10 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
