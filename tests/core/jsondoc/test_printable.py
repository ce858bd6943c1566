"""What is printed shows every character and does nothing; a document holds the same values afterwards."""

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.jsondoc.printable import as_json, as_yaml, code, one_line, plain, words

TERMINAL = [
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\r",
    "\x00",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
]
TERMINAL += ["\U000e0041", "\x85", "\x08"]
WORDS = [
    "null",
    "Null",
    "NULL",
    "~",
    "true",
    "True",
    "on",
    "On",
    "off",
    "yes",
    "No",
    "y",
    "N",
    "1e3",
    "1E3",
    "12e03",
    "0o17",
    "0x1F",
    "0b1",
    "017",
    "1_000",
    "1:30",
    "2026-01-01",
    ".inf",
    "-.INF",
    ".nan",
    ".5",
    "5.",
    "+1",
    "-1",
    "-0",
    "1.5",
    "=",
    "<<",
    "-",
    "?",
    ":",
    "!",
    "&",
    "*",
    "%",
    "@",
    "`",
    "|",
    ">",
    "#",
    ",",
    "[",
    "{",
    "nan",
    "inf",
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from([*TERMINAL, *WORDS])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("odd", TERMINAL)
def test_no_character_reaches_a_terminal_that_it_would_obey(odd):
    for write in (plain, one_line, lambda text: as_json({text: [text]}), lambda text: as_yaml({text: [text]})):
        assert write(f"a{odd}b").replace("\n", "").isprintable()
    assert one_line(f"a{odd}b").startswith("a\\")


def test_lines_stay_lines_or_become_one():
    assert plain("a\nb\x1bc") == "a\nb\\x1bc"
    assert one_line("a\nb\x1bc") == "a\\nb\\x1bc"
    assert one_line("Καλημέρα 🛒 café") == "Καλημέρα 🛒 café"


@given(VALUES)
def test_documents_hold_the_same_values(value):
    assert json.loads(as_json(value)) == value
    assert yaml.safe_load(as_yaml(value)) == value
    assert (as_json(value) + as_yaml(value)).replace("\n", "").isprintable()


@pytest.mark.parametrize("word", WORDS)
def test_words_that_some_reader_takes_for_another_type_are_quoted(word):
    """PyYAML reads 1e3, 0o17 and y as text; YAML 1.2, Go and Ruby do not."""
    text = as_yaml({"name": word, word: [word]})
    (named, key, item) = text.splitlines()
    assert (named[6], key[0], item[2]) == ("'", "'", "'")
    assert yaml.safe_load(text) == {"name": word, word: [word]}


@pytest.mark.parametrize("name", ["web", "shop-1", "a.b", "deployments.apps", "café", "True story"])
def test_names_without_a_second_meaning_are_not(name):
    assert as_yaml({"name": name}) == f"name: {name}\n"


def test_a_value_that_comes_twice_is_written_twice():
    same = {"a": ["b"]}
    assert "&" not in as_yaml([same, same])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web", "`web`"),
        ("a`b", "`` a`b ``"),
        ("a``b`", "``` a``b` ```"),
        ("<img src=x>\n# title", "`<img src=x>\\n# title`"),
        ("\x1b[31m", "`\\x1b[31m`"),
        ("x" * 300, "`" + "x" * 200 + "…`"),
    ],
)
def test_what_strangers_wrote_is_shown_as_code_that_nothing_in_it_ends(text, shown):
    assert code(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[click](http://evil.example)",
        "![seen](http://evil.example/x.png)",
        "<img src=x onerror=alert(1)>",
        "http://evil.example",
        "**bold** _it_ `code` ~~gone~~",
        "a\n# Title\n- item",
        "&lt;b&gt;",
        "| a | b |",
        "\x1b[31m",
        "\\",
    ],
)
def test_on_a_page_of_markdown_words_are_words(text):
    """Every mark has an odd number of backslashes before it, and is then itself (CommonMark 2.4)."""
    shown = words(text)
    assert shown.isprintable()
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", shown)
    assert not set("`*_{}[]<>#|!&~\\") & set(bare)
    assert "://" not in shown
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", shown) == one_line(text)
