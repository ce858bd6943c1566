"""The reference of commands and options in flows/README.md, made of what `--help` shows.

python -m tests.docs.commands
"""

from collections import defaultdict
from enum import Enum
from typing import NamedTuple

from tests.docs.generated import Section, table
from typer.main import get_command

from kubeferry.flows.cli import app


class Option(NamedTuple):
    """An option as `--help` shows it: two commands that show the same share it."""

    group: str
    spellings: tuple[str, ...]
    value: str
    text: str

    @property
    def row(self):
        *others, last = self.spellings
        return [", ".join(f"`{name}`" for name in (*others, f"{last} {self.value}".strip())), self.text]


class Command(NamedTuple):
    group: str
    words: str
    arguments: str
    text: str
    options: tuple[Option, ...]

    @property
    def row(self):
        return [f"**`kubeferry {self.words}{self.arguments}`**", self.text]


def commands():
    """Return all commands, in the order of `kubeferry --help`."""
    found = list(_commands(get_command(app), ()))
    groups = list(dict.fromkeys(each.group for each in found))
    return sorted(found, key=lambda each: groups.index(each.group))


def _commands(command, words, group=""):
    group = group or getattr(command, "rich_help_panel", None) or ""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from _commands(each, (*words, name), group)
        return
    options = [each for each in command.params if each.param_type_name == "option"]
    arguments = [_argument(each) for each in command.params if each.param_type_name == "argument"]
    yield Command(
        group, " ".join(words), "".join(f" {each}" for each in arguments), _first(command.help),
        tuple(map(_option, options)),
    )  # fmt: skip


def _first(text):
    return " ".join(text.partition("\n\n")[0].split())


def _argument(argument):
    name = argument.metavar if argument.required else f"[{argument.metavar}]"
    return f"{name}…" if argument.nargs < 0 else name


def _option(option):
    names = tuple(sorted([*option.opts, *option.secondary_opts], key=lambda name: name.count("-") > 1))
    more = [f"`{option.envvar}`"] if option.envvar else []
    default = _default(option)
    text = option.help + (f" ({', '.join([*more, *default])})" if more or default else "")
    return Option(option.rich_help_panel or "", names, _value(option), text)


def _default(option):
    """Return in a list what is done without the option, as `--help` prints it; nothing where that is nothing."""
    value = option.default
    if option.secondary_opts:
        value = (option.opts if value else option.secondary_opts)[0]
    elif option.is_flag or not value or not option.show_default:
        return []
    return [f"default `{value.value if isinstance(value, Enum) else value}`"]


def _value(option):
    if option.is_flag:
        return ""
    choices = "|".join(getattr(each, "value", each) for each in option.type_descriptor.choices or ())
    return option.metavar or choices or "N"


def users():
    """Return each option with the commands that have it."""
    found = defaultdict(list)
    for command in commands():
        for option in command.options:
            found[option].append(command.words)
    return found


def reference():
    """Return the reference as Markdown."""
    of = users()
    own = [
        row
        for command in commands()
        for row in (command.row, *(option.row for option in command.options if len(of[option]) == 1))
    ]
    shared = [option for option, words in of.items() if len(words) > 1]
    rows = [[*option.row, _of(of[option])] for option in sorted(shared, key=lambda option: option.group)]
    return "\n\n".join(
        [
            table(["command, and the options that only it has", "what it does"], own),
            "### Options of several commands",
            table(["option", "what it does", "of"], rows),
        ]
    )


def _of(words):
    others = [each.words for each in commands() if each.words not in words]
    return min(", ".join(words), f"all but {', '.join(others)}" if others else "all", key=len)


SECTION = Section("flows/README.md", "tests.docs.commands", reference)

if __name__ == "__main__":
    SECTION.write()
