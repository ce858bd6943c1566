"""Show the progress of a command on stderr: bars and notes on a terminal, only the notes, as lines, elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.printable import one_line
from kubeferry.tasks.ports.local import progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress, TaskID

BARS = 6
"""Most bars shown at once: the steps that moved last. A backup of hundreds of namespaces has as many steps."""


@contextmanager
def showing_progress() -> Iterator[None]:
    """Show the progress reported inside the `with` block; at its end the bars disappear, the notes stay."""
    if not sys.stderr.isatty():
        with progress.listening(Lines()):
            yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars, progress.listening(Bars(bars)):
        yield


class Lines:
    """A listener for a file or a pipe: notes only."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Ignore it: in a file, steps would only be noise."""

    def note(self, text: str) -> None:
        """Write the line at once."""
        sys.stderr.write(f"{one_line(text)}\n")
        sys.stderr.flush()


class Bars:
    """A listener for a terminal: a bar for each of the last steps, notes above them."""

    def __init__(self, bars: Progress) -> None:
        """Use a Progress of rich that is shown already."""
        self._bars = bars
        self._lock = Lock()
        self._known: dict[str, TaskID] = {}
        """Step → its bar, the one that moved last at the end."""

    def step(self, name: str, done: int, total: int | None) -> None:
        """Move the bar of a step; remove it when the step is finished."""
        with self._lock:
            bar = self._known.pop(name, None)
            if total is not None and done >= total:
                if bar is not None:
                    self._bars.remove_task(bar)
                return
            if bar is None:
                bar = self._bars.add_task(one_line(name), total=total)
            self._known[name] = bar
            self._bars.update(bar, completed=done, total=total)
            while len(self._known) > BARS:
                self._bars.remove_task(self._known.pop(next(iter(self._known))))

    def note(self, text: str) -> None:
        """Print the line above the bars."""
        self._bars.console.print(one_line(text), markup=False, highlight=False)
