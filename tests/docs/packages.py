"""The map in tasks/README.md: every package with the first line of its docstring.

python -m tests.docs.packages
"""

import ast

from tests.docs.generated import Section, table
from tests.docs.readmes import ROOT, TOPS


def packages():
    """Return the folders that hold code, as paths from the top."""
    code = (path for top in TOPS for path in (ROOT / top).rglob("*.py"))
    return sorted({path.parent.relative_to(ROOT) for path in code})


def docstring(package):
    """Return what a package says of itself, "" where it says nothing."""
    return ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())) or ""


def the_map():
    """Return the map as Markdown."""
    return table(
        ["folder", "what it holds"], [[f"`{each}/`", docstring(each).partition("\n")[0]] for each in packages()]
    )


SECTION = Section("tasks/README.md", "tests.docs.packages", the_map)

if __name__ == "__main__":
    SECTION.write()
