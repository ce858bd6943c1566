"""The planted faults: one-line changes to the code, and the tests that catch them.

`faults.yaml` has a row for each: what it is called, its kind, the file, the text that is in it once (`old`), what it
becomes (`new`), what goes wrong then (`why`), and the tests that are known to fail (`caught_by`).
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Fault:
    """One change; `caught_by` are ids of tests as pytest writes them."""

    name: str
    kind: str
    file: str
    old: str
    new: str
    why: str
    caught_by: tuple[str, ...]

    def planted(self, text):
        """Return the text of `file` with the fault. Raises ValueError when its place is not there exactly once."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has its place {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)

    def lines(self, text):
        """Return the numbers of the lines that it changes, and of the one before: what is deleted has no line."""
        first = text[: text.index(self.old)].count("\n") + 1
        return range(max(1, first - 1), first + self.old.count("\n") + 1)


def load(path=HERE / "faults.yaml"):
    """Return all faults of the table."""
    return [Fault(**row | {"caught_by": tuple(row["caught_by"])}) for row in yaml.safe_load(path.read_text())]
