# What is run by hand. `.venv/bin/just` shows it; `just unit -k order` gives pytest more words. tests/README.md says more.

set positional-arguments

# The tools are those of the README's command, also where no environment is activated.
export PATH := justfile_directory() / ".venv" / "bin" + ":" + env("PATH")

_recipes:
    @"{{ just_executable() }}" --list --unsorted

# Style, types, imports, and that the documentation is true.
check *words:
    pytest -n 2 -m check "$@"

# Pure rules, and ports with fakes.
unit *words:
    pytest -n 2 -m unit "$@"

# What runs on the sandbox.
cluster *words:
    pytest -n 4 -m cluster "$@"

# All that takes hours.
soak *words:
    pytest -n 2 -m soak "$@"

# As much of soak as fits into so many minutes.
slice minutes="20" *words:
    pytest -n 2 --slice "$@"

# Plant faults: tests have to fail.
planted *words:
    python -m tests.planted "$@"
