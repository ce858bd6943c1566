"""Exported YAML is the same value to every reader, and readable where it can be."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kubeferry.tasks.core.plan.export.yaml_files import dump, is_block

NASTY = st.text(alphabet="ab \n\t:#-{}'\"|>&*!%@`\r0123.yYnNoO~=<?,[]\\é🛒\u2028\ufeff\x85\x07")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | NASTY,
    lambda inside: st.lists(inside) | st.dictionaries(st.text() | NASTY, inside),
    max_leaves=12,
)


@given(VALUES)
@example({"": "\U00010000", "\n": ["0\n0"]})
def test_what_is_written_is_read_again(value):
    assert yaml.load(dump({"v": value}), yaml.CSafeLoader) == {"v": value}


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "n",
        "null",
        "~",
        "1e3",
        "0o7",
        "0755",
        "0x1F",
        "12:30:45",
        "1_000",
        ".inf",
        "-.5",
        "2001-01-01",
        "<<",
        "=",
        "---",
        "+1",
        "NaN",
        "true",
        "0b1",
        "-",
        "?",
        "#",
    ],
)
def test_a_word_that_some_reader_takes_for_another_type_is_quoted(text):
    """YAML 1.1 (PyYAML), 1.2 and Go's mix of both differ: only quotes are the same to all of them."""
    for line in (dump({"v": text}), dump({text: "v"})):
        assert "'" in line or '"' in line


@pytest.mark.parametrize("text", ["", " ", "- a", "a: b", "a #b", "{a}", "[a", "*a", "&a", "!a", "%a", "@a", "`a", "|"])
def test_a_text_with_a_meaning_of_its_own_is_quoted(text):
    assert yaml.load(dump({"v": text}), yaml.CSafeLoader) == {"v": text}
    assert "'" in dump({"v": text})


def test_text_of_several_lines_is_a_block_with_its_characters_as_they_are():
    text = "server {\n\tlisten 80; # ☎ 🛒\n\n  root /;\n}\n"
    assert dump({"data": {"nginx.conf": text}}) == (
        "data:\n  nginx.conf: |\n    server {\n    \tlisten 80; # ☎ 🛒\n\n      root /;\n    }\n"
    )


@pytest.mark.parametrize(("text", "mark"), [("a\nb", "|-"), ("a\nb\n", "|"), ("a\n\nb", "|-")])
def test_the_end_of_a_text_is_kept(text, mark):
    written = dump({"v": {"w": [text, {"x": text}]}, "z": 1})
    assert written.count(f" {mark}\n") == 2
    assert yaml.load(written, yaml.CSafeLoader) == {"v": {"w": [text, {"x": text}]}, "z": 1}


@pytest.mark.parametrize(
    "text", [" a\nb", "\ta\nb", "\na\nb", "a\r\nb", "a\x07\nb", "a\u2028\nb", "a\n", "a", "a\nb\n\n"]
)
def test_what_a_block_cannot_hold_is_none(text):
    assert not is_block(text)


def test_a_text_that_looks_like_our_mark_does_no_harm():
    value = {"a": "x\ny", "b": "kubeferry-block-0-", "c": ["kubeferry-block-7-"]}
    assert yaml.load(dump(value), yaml.CSafeLoader) == value
    assert "a: |-\n  x\n  y\n" in dump(value)


def test_a_value_that_is_there_twice_is_written_twice():
    same = {"a": [1, 2]}
    assert "&" not in dump({"x": same, "y": same})
