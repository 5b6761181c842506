"""The fast way of reading JSON takes no document that jiter refuses, but for one that nests deeper than jiter reads;
and reads none otherwise than jiter does."""

import json
from typing import Any, Final

import jiter
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import examples
from paravent.masking.json import MAX_DEPTH, Undecodable, decode, same_tree

JITERS_DEPTH: Final = 200
TEXTS: Final = st.text(alphabet='ab"\\/é\U0001f600\u0022:,{}[]\t0', max_size=6)
NUMBERS: Final = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "-1",
        "1.10",
        "1.1",
        "-0.0",
        "1e5",
        "1E+5",
        "1e400",
        "0.1000000000000000055511151",
        "18446744073709551616",
        "9223372036854775808",
    ]
)
SPACES: Final = st.sampled_from(["", "", "", " ", "\n", "\t \r"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A text as documents write it: raw, escaped, or character by character."""
    said = draw(TEXTS)
    written = draw(st.sampled_from(["raw", "ascii", "numbers"]))
    if written == "numbers":
        return '"' + "".join(f"\\u{ord(each):04x}" for each in said if ord(each) < 0x10000) + '"'
    return json.dumps(said, ensure_ascii=written == "ascii")


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects in which a name may stand twice."""
    member = st.builds(lambda name, a, b, value: f"{name}{a}:{b}{value}", texts(), SPACES, SPACES, inner)
    return st.lists(member, max_size=4).map(lambda each: "{" + ",".join(each) + "}")


def lists(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda each, space: "[" + f",{space}".join(each) + "]", st.lists(inner, max_size=4), SPACES)


LEAVES: Final = st.one_of(texts(), NUMBERS, st.sampled_from(["true", "false", "null", "NaN", "01", '"\\ud800"', ""]))
DOCUMENTS: Final = st.recursive(LEAVES, lambda inner: objects(inner) | lists(inner), max_leaves=12)


def by_jiter(body: bytes) -> Any:
    try:
        return jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float")
    except ValueError:
        return Undecodable.MALFORMED


def agrees(body: bytes) -> bool:
    ours, theirs = decode(body, limit_bytes=10**6), by_jiter(body)
    if isinstance(ours, Undecodable):
        return ours is theirs
    return same_tree(ours, theirs)


@given(objects(DOCUMENTS))
@settings(max_examples=examples(400), deadline=None)
def test_a_document_is_read_as_jiter_reads_it_or_refused_as_jiter_refuses_it(text: str) -> None:
    assert agrees(text.encode())


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u0019eE+-.abnulltrefs ', max_size=60).map(str.encode))
@settings(max_examples=examples(200), deadline=None)
def test_so_are_bytes_that_are_hardly_a_document(body: bytes) -> None:
    assert agrees(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":1,"a":"\\u0022\\u0022"}', id="the quotes of the lost name are made up for by escaped ones"),
        pytest.param(b'{"a":{"b":1,"b":1}}', id="twice with one value"),
        pytest.param(b'{"":0,"":0}', id="the empty name twice"),
        pytest.param(b'{"a":1, "a":[]}', id="between blanks"),
        pytest.param('{"é":1,"\\u00e9":2}'.encode(), id="once escaped"),
        pytest.param(b'[{"a":"\\"","a":"\\"\\""}]', id="with quotes inside the values"),
    ],
)
def test_a_name_that_stands_twice_is_noticed(body: bytes) -> None:
    assert decode(body, limit_bytes=100) is Undecodable.MALFORMED


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("levels", [JITERS_DEPTH - 1, JITERS_DEPTH, MAX_DEPTH, MAX_DEPTH + 1, 2000, 16_000])
def test_what_jiter_reads_is_read_and_nothing_deeper_than_the_writer_writes(opening: bytes, levels: int) -> None:
    closing = b"]" if opening == b"[" else b"}"
    body = opening * levels + b"1" + closing * levels
    read = not isinstance(decode(body, limit_bytes=10**6), Undecodable)
    assert read == (levels <= MAX_DEPTH)
    assert read or by_jiter(body) is Undecodable.MALFORMED


def test_what_is_in_doubt_is_read_as_deep_as_jiter_reads() -> None:
    """A quote that is written as a number leaves a doubt."""
    inner = b'"\\u0022"'
    for levels, read in ((JITERS_DEPTH, True), (JITERS_DEPTH + 1, False)):
        body = b"[" * levels + inner + b"]" * levels
        assert (decode(body, limit_bytes=10**6) is not Undecodable.MALFORMED) == read
