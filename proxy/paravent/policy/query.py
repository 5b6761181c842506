r"""The query of a request target: the named parameters of an operation, each once, each of its type.

    good: subscriber-id=0012345678&_include=Coverage:beneficiary      _include=Coverage%3Abeneficiary, any order
          payor:identifier=99990001                                   payor%3Aidentifier=99990001
    bad:  (nothing behind ?)   a=1&a=2   a=   a   a=1&   a=1;b=2   %61=1   a=%31   a=%3a   a=+1   a=%00   a=1?b=2
          a:b=1&a%3Ab=1   a%3ab=1   a%3Ab:c=1

One spelling a value, but for an escape of what is not unreserved: RFC 3986 section 2.3 has programs decode escapes of
unreserved characters or not, as they like, so those are refused. `+`, `;` and a second `?` mean one thing to some
readers and another to others.

A name is one of the list or, where it has colons, that name with `%3A` for each: two spellings that are both compared,
and no decoding. A colon is reserved (section 2.2), so that the two need not be the same; a query in which they are not
does not exist in FHIR, and whatever builds queries by the rules of forms, HAPI's client among others, sends the second.
"""

import re
from collections.abc import Mapping
from typing import Final

from paravent.policy.fields import accepts_text
from paravent.policy.paths import ESCAPED_NAME, QUERY_NAME, UNRESERVED
from paravent.rules import RequestField

MAX_QUERY_FIELDS: Final = 16
"""Of one operation. A search of FHIR with chains, an _include and a page has six."""

_PAIR: Final = re.compile(rf"({QUERY_NAME}|{ESCAPED_NAME})=((?:{UNRESERVED}|:|%[0-9A-F]{{2}})+)".encode("ascii"))
_ESCAPE: Final = re.compile(rb"%([0-9A-F]{2})")
_PLAIN: Final = re.compile(UNRESERVED.encode("ascii"))
_ASCII: Final = 0x80


def read_query(fields: tuple[RequestField, ...], query: bytes | None) -> Mapping[str, str] | None:
    """The parameters, in the operation's order; None for a query that is not one of its own.

    `query`: what stands behind the first `?`, None where there is none.
    """
    sent: dict[str, str] = {}
    for part in [] if query is None else query.split(b"&"):
        pair = _PAIR.fullmatch(part)
        value = _plain(pair.group(2)) if pair is not None else None
        name = pair.group(1).decode("ascii").replace("%3A", ":") if pair is not None else ""
        if value is None or name in sent or len(sent) == MAX_QUERY_FIELDS:
            return None
        sent[name] = value
    values: dict[str, str] = {}
    for known in fields:
        text = sent.get(known.name)
        if known.required if text is None else not accepts_text(known, text):
            return None
        if text is not None:
            values[known.name] = text
    # Whatever was sent and is not among them is unknown.
    return values if len(values) == len(sent) else None


def _plain(raw: bytes) -> str | None:
    """A value without its escapes; None when one stands for a character that needs none, or for none of ASCII."""
    for escape in _ESCAPE.findall(raw):
        code = int(escape, 16)
        if code >= _ASCII or _PLAIN.fullmatch(bytes([code])):
            return None
    return _ESCAPE.sub(lambda escape: bytes([int(escape.group(1), 16)]), raw).decode("ascii")


def written_query(values: Mapping[str, str]) -> str:
    """The query for the upstream, with its `?`; empty for no values.

    Values of `URL_TYPES` are letters, digits and characters that mean themselves in a query (RFC 3986 section 3.4).
    """
    return "?" + "&".join(f"{name}={value}" for name, value in values.items()) if values else ""
