"""Parts of READMEs that a module here makes from the code, between two comments that name the module."""

from tests.docs.readmes import ROOT


class Section:
    """One such part: `python -m MODULE` writes it."""

    def __init__(self, path, module, make):
        self.path, self.make = ROOT / path, make
        self.begin, self.end = f"<!-- made by: python -m {module} -->\n", f"<!-- end of: python -m {module} -->\n"

    def _split(self):
        before, begin, rest = self.path.read_text().partition(self.begin)
        written, end, after = rest.partition(self.end)
        assert begin, f"{self.path} has no line {self.begin}"
        assert end, f"{self.path} has no line {self.end}"
        return before, written, after

    def written(self):
        """Return what the README has."""
        return self._split()[1]

    def made(self):
        """Return what it should have."""
        return f"\n{self.make()}\n\n"

    def write(self):
        """Put what it should have in place of what it has."""
        before, _, after = self._split()
        self.path.write_text(before + self.begin + self.made() + self.end + after)


def table(head, rows):
    """Return a table of Markdown; a `|` in a cell is escaped."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
