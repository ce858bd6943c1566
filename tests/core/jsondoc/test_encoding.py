"""JSON is read as one value or refused, and no error quotes what it holds."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.jsondoc.encoding import parse
from kubeferry.tasks.core.jsondoc.limits import MAX_DEPTH

MARK = "marked-secret"
INTEGERS = st.integers(-(2**63), 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_values_come_back_whoever_wrote_them(value):
    for text in (orjson.dumps(value), json.dumps(value).encode(), json.dumps(value, indent=2).encode()):
        assert parse(text) == value
        assert parse(text + b"\n") == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":2}',
        '{"a":1,"a":1}',
        '{"a": 1, "b": [{"c": 1, "c": 2}]}',
        r'{"a":1,"\u0061":2}',
        '{"metadata":{"name":"x"},"metadata":{"name":"y"}}',
    ],
)
def test_a_key_that_comes_twice_is_refused(text):
    with pytest.raises(DamagedError, match=r"^has a duplicate key in a map$"):
        parse(text.encode())


@pytest.mark.parametrize("text", [str(2**64), str(-(2**63) - 1), "9" * 300, '{"a":[1' + "0" * 40 + "]}"])
def test_an_integer_that_would_be_rounded_is_refused(text):
    with pytest.raises(DamagedError, match=r"^has an integer of more than 64 bits$"):
        parse(text.encode())


@pytest.mark.parametrize("edge", [-(2**63), 2**63 - 1, 2**64 - 1])
def test_integers_of_64_bits_are_kept(edge):
    assert parse(str(edge).encode()) == edge


@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_depth_has_a_limit(pair):
    def nested(depth):
        opened = {"[]": "[", "{}": '{"a":'}[pair] * (depth - 1)
        return (opened + pair + pair[1] * (depth - 1)).encode()

    parse(nested(MAX_DEPTH))
    parse(b"[" + b"[],{}," * 1000 + b"[]]")
    for depth in (MAX_DEPTH + 1, 900, 100_000):
        with pytest.raises(DamagedError, match=r"is nested deeper than 200 levels|is not JSON"):
            parse(nested(depth))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[1,]",
        b"{}x",
        b"{} {}",
        b"NaN",
        b'{"a":Infinity}',
        b"-Infinity",
        b"1e999",
        b"01",
        b"'a'",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        rb'"\ud800"',
        b'"a\nb"',
        b"\x00",
        "{}".encode("utf-16"),
        f'{{"{MARK}": {MARK}}}'.encode(),
        b"9" * 5000,
    ],
)
def test_what_is_no_json_is_refused_without_a_word_of_it(data):
    with pytest.raises(DamagedError, match=r"^is not JSON \(line 1, column \d+\)$") as caught:
        parse(data)
    assert MARK not in str(caught.value)
