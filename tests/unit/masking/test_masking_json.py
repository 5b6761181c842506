"""What is a document, what is none, and that numbers keep their digits."""

import json

import pytest

from paravent.masking.json import MAX_DEPTH, Undecodable, decode, encode, same_tree, sealed_number


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":"\xe9"}', id="Latin-1"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="a lone surrogate, escaped"),
        pytest.param(b'{"a":1,"a":2}', id="a name twice"),
        pytest.param(b'{"nir":1,"n\\u0069r":2}', id="a name twice, once escaped"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":-Infinity}', id="Infinity"),
        pytest.param(b'{"a":1}{"b":2}', id="two documents"),
        pytest.param(b'{"a":1}\x00', id="a byte after the document"),
        pytest.param(b'{"a":1,}', id="a trailing comma"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b'{"a":01}', id="a leading zero"),
        pytest.param(b'{"a":"\n"}', id="a raw line feed in a text"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="an integer that Python refuses to print"),
        pytest.param(b"[" * 10_000, id="ten thousand open lists"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="ten thousand objects"),
        pytest.param(b")]}',\n{}", id="a guard against script inclusion"),
        pytest.param(b"<html></html>", id="a page"),
    ],
)
def test_what_is_no_document_is_a_value(body: bytes) -> None:
    """Nothing is raised: an exception's text would quote the body."""
    assert decode(body, limit_bytes=10**7) is Undecodable.MALFORMED


def test_the_callers_limit_counts_bytes() -> None:
    """Exactly the limit is parsed; one byte more is not."""
    assert decode(b'{"a":1}', limit_bytes=7) == {"a": 1}
    assert decode(b'{"a":1}', limit_bytes=6) is Undecodable.TOO_LARGE


def test_nesting_is_bounded_by_the_writer() -> None:
    """The documented bound is the writer's own, give or take the innermost value."""
    assert decode(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, limit_bytes=10**4) is not Undecodable.MALFORMED
    too_deep = MAX_DEPTH + 2
    assert decode(b"[" * too_deep + b"]" * too_deep, limit_bytes=10**4) is Undecodable.MALFORMED


@pytest.mark.parametrize(
    ("written", "leaves"),
    [
        pytest.param(b"1.10", b"1.10", id="a trailing zero of an amount stays"),
        pytest.param(b"1e400", None, id="a number beyond doubles does not: some readers refuse the whole document"),
        pytest.param(b"0.1000000000000000055511151", b"0.1000000000000000055511151", id="digits beyond doubles stay"),
        pytest.param(b"18446744073709551615", b"18446744073709551615", id="the greatest integer of 64 bits leaves"),
        pytest.param(b"18446744073709551616", None, id="the next does not: some readers make a fraction of it"),
        pytest.param(b"-9223372036854775808", b"-9223372036854775808", id="the least integer of 64 bits leaves"),
        pytest.param(b"-9223372036854775809", None, id="the one before does not"),
        pytest.param(b"0." + b"1" * 28, b"0." + b"1" * 28, id="thirty characters of a fraction leave"),
        pytest.param(b"0." + b"1" * 29, None, id="thirty-one do not"),
    ],
)
def test_a_number_leaves_digit_for_digit_or_not_at_all(written: bytes, leaves: bytes | None) -> None:
    number = decode(written, limit_bytes=100)
    assert not isinstance(number, Undecodable | str | list | dict | None)
    sealed = sealed_number(number)
    assert (None if sealed is None else encode(sealed)) == leaves


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(b'{"a":[1.50,{"b":null}]}', b'{"a":[1.50,{"b":null}]}', True, id="fractions with the same digits"),
        pytest.param(b"1.50", b"1.5", False, id="fractions with other digits"),
        pytest.param(b'{"a":1,"b":2}', b'{"b":2,"a":1}', True, id="members in another order"),
        pytest.param(b'{"a":null}', b"{}", False, id="null and absent"),
        pytest.param(b"[1,2]", b"[2,1]", False, id="elements in another order"),
        pytest.param(b"[1]", b"[1,1]", False, id="lists of other lengths"),
        pytest.param(b"true", b"1", False, id="true and one"),
        pytest.param(
            b"[" * 200 + b"1" + b"]" * 200, b"[" * 200 + b"2" + b"]" * 200, False, id="two hundred levels down"
        ),
    ],
)
def test_two_documents_say_the_same(one: bytes, other: bytes, same: bool) -> None:
    a, b = (decode(body, limit_bytes=1000) for body in (one, other))
    assert not isinstance(a, Undecodable)
    assert not isinstance(b, Undecodable)
    assert same_tree(a, b) is same


def test_what_is_written_reads_as_the_same_document() -> None:
    """The standard library reads what we write as what we read."""
    body = '{"é":["\\u0000",null,true,{"":1.50}],"b":"<\\/script>"}'.encode()
    tree = decode(body, limit_bytes=1000)
    assert isinstance(tree, dict)
    elements = tree["é"]
    assert isinstance(elements, list)
    elements.pop()
    assert json.loads(encode(tree)) == {"é": ["\x00", None, True], "b": "</script>"}
