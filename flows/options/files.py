"""Read the files of --modify, --rewrite-rules and --into-file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kubeferry.tasks.core.models.modifications import Modifications
    from kubeferry.tasks.core.models.options_migration import Into
    from kubeferry.tasks.core.models.rewriting import RewriteRule


def modifications(files: Iterable[Path]) -> Modifications:
    """Return the modifications of all files, in their order.

    Raises:
        UsageError: one of them cannot be read.
    """
    from kubeferry.tasks.core.models.modifications import Modifications
    from kubeferry.tasks.core.transform.modify.files import read_modifications

    found = Modifications()
    for file in files:
        found = found.also(read_modifications(_text(file), f"--modify {file}"))
    return found


def into(names: Sequence[str], file: Path | None) -> list[Into]:
    """Return the namespaces to create: those of --into, which may be separated by commas, and those of a file.

    Raises:
        UsageError: there are none, the file cannot be read, or a name is invalid.
    """
    from kubeferry.tasks.core.transform.modify.files import read_into

    if not (names or file):
        raise UsageError("name the namespaces to create, with --into or --into-file")
    named = [name for each in names for name in each.split(",") if name]
    found = read_into("\n".join(f"- {name!r}" for name in named), "--into") if named else []
    return found + (read_into(_text(file), f"--into-file {file}") if file else [])


def rewrite_rules(files: Iterable[Path]) -> list[RewriteRule]:
    """Return the rules of all files, in their order.

    Raises:
        UsageError: one of them cannot be read.
    """
    from kubeferry.tasks.core.transform.modify.files import read_rewrite_rules

    return [rule for file in files for rule in read_rewrite_rules(_text(file), f"--rewrite-rules {file}")]


def _text(file: Path) -> str:
    from kubeferry.tasks.core.transform.modify.files import MOST

    try:
        with file.open("rb") as opened:
            data = opened.read(MOST + 1)
        if len(data) > MOST:
            raise UsageError(f"{file} is larger than {MOST} bytes")
        return data.decode()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8 text") from None
