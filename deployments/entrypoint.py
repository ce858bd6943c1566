"""The container's entrypoint: run `kubeferry` with the arguments, or the program that they name (for Prefect Jobs)."""

from __future__ import annotations

import os
import sys

PROGRAMS = {"prefect", "python", "kubeferry"}
"""Programs that the first argument may name; anything else is a command of kubeferry."""


def command(arguments: list[str]) -> list[str]:
    """Return the program to run, and its arguments."""
    return arguments if arguments and arguments[0] in PROGRAMS else ["kubeferry", *arguments]


def main() -> None:
    """Replace this process by the program, so that it gets the container's signals."""
    argv = command(sys.argv[1:])
    os.execvp(argv[0], argv)  # noqa: S606 - no shell; the arguments of the container


if __name__ == "__main__":
    main()
