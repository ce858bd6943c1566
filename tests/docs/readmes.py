"""The READMEs, in the order in which a person reads them: the first one begins, each other one continues from it."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TOPS = ("flows", "tasks", "deployments")
ORDER = (
    "README.md",
    "flows/README.md",
    "tasks/export/README.md",
    "tasks/README.md",
    "tasks/core/formats/README.md",
    "tasks/ports/store/README.md",
    "deployments/README.md",
    "deployments/kubernetes/README.md",
    "deployments/kubernetes/clouds/README.md",
    "deployments/velero/README.md",
)
PATHS = [path for path in ORDER if (ROOT / path).exists()]
TEXTS = {path: (ROOT / path).read_text() for path in PATHS}


class Block(NamedTuple):
    """A block of shell."""

    path: str
    line: int
    text: str
    reason: str
    """Why it is not run here; "" for one that is."""

    def __str__(self):
        return f"{self.path}:{self.line}"


def blocks():
    """Return all blocks of shell, in the order in which they are run."""
    return [block for path, text in TEXTS.items() for block in _blocks(path, text)]


def _blocks(path, text):
    before, lines = "", text.splitlines()
    for at, line in enumerate(lines):
        if line == "```sh":
            end = lines.index("```", at)
            comment = re.fullmatch(r"<!-- (?:not run: (.+)|(test command)) -->", before)
            reason = (comment[1] or comment[2]) if comment else ""
            yield Block(path, at + 1, "\n".join(lines[at + 1 : end]), reason)
        before = line
