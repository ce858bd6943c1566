"""What the container runs: `kubeferry` with the arguments, or the program that they name, as Prefect's Jobs do."""

from __future__ import annotations

import os
import sys

PROGRAMS = {"prefect", "python", "kubeferry"}
"""What may stand first; anything else is a command of kubeferry."""


def command(arguments: list[str]) -> list[str]:
    """Return the program to become, and its arguments."""
    return arguments if arguments and arguments[0] in PROGRAMS else ["kubeferry", *arguments]


def main() -> None:
    """Become that program, so that it gets the container's signals."""
    argv = command(sys.argv[1:])
    os.execvp(argv[0], argv)  # noqa: S606 - no shell; who starts the container chooses


if __name__ == "__main__":
    main()
