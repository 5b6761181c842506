"""JSON in, JSON out, without surprises (RFC 8259, and RFC 7493 where it is stricter).

Refused, as a value: more than the caller's limit; a BOM; bytes that are not UTF-8; lone surrogates; NaN and Infinity;
a name twice in one object (also when one spelling is escaped); nesting over 254; anything after the document. The
parser's own messages quote the document, so none of them leaves this file.

A number that is no integer stays the text it was (`LosslessFloat`): 1.10 is not 1.1, and no float rounds an amount.

jiter is the judge of what a document is. To look for a name that stands twice costs it a third of its time, so most
documents are read by msgspec, twice as fast, and taken as read when it is plain that no name got lost (`_read_fast`):
docs/decisions/0017-read-fast-and-counted.md.
"""

import math
from enum import Enum
from typing import Final

import jiter
import msgspec
import orjson
from jiter import LosslessFloat

type Scalar = bool | int | str | LosslessFloat | None
type Tree = Scalar | list["Tree"] | dict[str, "Tree"]
"""What `decode` builds."""
type Outgoing = Scalar | orjson.Fragment | list["Outgoing"] | dict[str, "Outgoing"]
"""What `encode` writes."""

MAX_DEPTH: Final = 254
"""orjson's bound, held by a test; jiter, which reads what is in doubt, has 200. Real answers nest less than ten deep,
and walks never go deeper than their view."""
MAX_NUMBER_CHARACTERS: Final = 30
"""Longest fraction that may leave. An amount in centimes has 12 digits, a double at most 24 characters."""
MAX_VALUES: Final = 16 * 1024
"""In one document, counted by the commas and brackets that it takes to write them, those inside texts included. Each
costs 0.3 µs to read, 3 µs where a view looks at it, and a megabyte holds half a million. An answer about a family of
nine has some 2 000, a page of fifty persons as many."""
_NOT_COUNTED: Final = bytes(set(range(256)) - set(b",[{"))
_SIGNED_64_MIN: Final = -(2**63)
_UNSIGNED_64_MAX: Final = 2**64 - 1


class Undecodable(Enum):
    """Why bytes are not a document."""

    TOO_LARGE = "too large"
    MALFORMED = "malformed"


def decode(body: bytes, *, limit_bytes: int) -> Tree | Undecodable:
    """Parse one document, or say why not. Never raises for what the bytes hold."""
    if len(body) > limit_bytes or _values(body) > MAX_VALUES:
        return Undecodable.TOO_LARGE
    tree = _read_fast(body)
    return _read_strictly(body) if tree is _DOUBTFUL else tree


def _values(body: bytes) -> int:
    # One of them takes a byte, so a short document needs no counting.
    return len(body) if len(body) <= MAX_VALUES else len(body.translate(None, _NOT_COUNTED))


def _read_strictly(body: bytes) -> Tree | Undecodable:
    try:
        # "keys": names repeat from answer to answer; values are people's and must not stay in a cache.
        tree: Tree = jiter.from_json(
            body, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float", cache_mode="keys"
        )
    except ValueError:
        return Undecodable.MALFORMED
    return tree


# ---- the fast way


class _Doubtful(Enum):
    DOUBTFUL = "doubtful"


_DOUBTFUL: Final = _Doubtful.DOUBTFUL
_fast: Final = msgspec.json.Decoder(float_hook=lambda text: LosslessFloat(text.encode())).decode


def _read_fast(body: bytes) -> Tree | _Doubtful:
    """The document, if it is one beyond doubt. Whatever is wrong with it, or merely odd, is for jiter to say.

    Beyond doubt: no name stood twice, so that nothing was lost of what the document says. A tree holds a name once: of
    two, the writer writes one. Either what is written is what was read, byte for byte; or it has as many quotes, of
    which each text has two, and more only where a text holds them: there each is one byte in both, but where it was
    written as a number.
    """
    try:
        tree: Tree = _fast(body)
        written = orjson.dumps(tree, default=_as_it_stood)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, orjson.JSONEncodeError):
        return _DOUBTFUL
    if written == body or (b"\\u0022" not in body and written.count(b'"') == body.count(b'"')):
        return tree
    return _DOUBTFUL


def _as_it_stood(number: LosslessFloat) -> orjson.Fragment:
    return orjson.Fragment(bytes(number))


def encode(tree: Outgoing) -> bytes:
    """Write a document anew: UTF-8, no blanks, names in the order of the tree.

    Raises TypeError on an integer beyond 64 bits or a `LosslessFloat`: whoever lets one leave passes it through
    `sealed_number` first.
    """
    return orjson.dumps(tree)


def sealed_number(number: int | LosslessFloat) -> int | orjson.Fragment | None:
    """A number as `encode` can write it, digit for digit; None when two readers could make two numbers of it.

    RFC 8259 section 6: "an implementation may set limits on the range and precision of numbers accepted". Beyond 64
    bits, or beyond a double, readers round, overflow or refuse the document; no amount, rate or count is there.
    """
    if isinstance(number, int):
        return number if _SIGNED_64_MIN <= number <= _UNSIGNED_64_MAX else None
    text = bytes(number)
    return orjson.Fragment(text) if len(text) <= MAX_NUMBER_CHARACTERS and math.isfinite(float(number)) else None


def same_tree(one: Tree, other: Tree) -> bool:
    """Whether two parsed values say the same. `==` does not know: each `LosslessFloat` equals only itself."""
    pairs = [(one, other)]
    while pairs:
        a, b = pairs.pop()
        if a is b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() != b.keys():
                return False
            pairs += [(value, b[name]) for name, value in a.items()]
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif isinstance(a, LosslessFloat) and isinstance(b, LosslessFloat):
            if bytes(a) != bytes(b):
                return False
        elif type(a) is not type(b) or a != b:  # `type`: true == 1 in Python.
            return False
    return True


def scalar_text(value: Scalar) -> str:
    """A scalar as a document writes it, without quotes: what a request value is compared with."""
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value) if abs(value) < 10**MAX_NUMBER_CHARACTERS else ""
        case _:
            return bytes(value).decode()
