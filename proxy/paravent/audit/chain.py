"""The chain: each line of the ledger holds the MAC of the line before it, and the head holds the MAC of the last.

A line is the canonical JSON of a record (members sorted, no blanks, UTF-8, one newline) with five members more:

    writer  who wrote it; each writer has a chain of its own
    seq     1, 2, 3 …
    prev    `mac` of the line before; 64 zeros in the first
    key     id of the key
    mac     HMAC-SHA256 over a label and the canonical JSON of all the other members, writer, seq and prev included

The MAC is keyed: a chain of plain hashes can be rebuilt by whoever can write the file. The head says where the chain
ends, which a chain cannot say of itself: without it, whole lines cut off at the end leave a perfect shorter chain.
"""

import hmac
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import orjson

from paravent.audit.keys import ChainKey
from paravent.values import Value

LINE_MAX_BYTES: Final = 1 << 20
"""Of one line with its newline: a reader needs no more memory than this, whatever stands in the file."""

HEAD_BYTES: Final = 512
"""Of a sealed head. One sector of any disk, so that rewriting it in place never leaves half of it."""

MEMBERS: Final = frozenset({"writer", "seq", "prev", "key", "mac"})
"""Members that the chain adds to a record."""

_LINE: Final = b"paravent line 1\n"
_HEAD: Final = b"paravent head 1\n"
_MAC = re.compile(r"[0-9a-f]{64}")

_PLACE_BYTE: Final = b"\0"
"""No JSON holds it: in texts it is escaped."""
_PLACE: Final = orjson.Fragment(_PLACE_BYTE)


class Link(Value, frozen=True):
    """One line of a chain, as the next line and the head know it."""

    writer: str
    seq: int
    """1 for the first line; 0 stands before it."""
    mac: bytes
    """32 bytes."""


class Head(Value, frozen=True):
    """Where a chain ends."""

    link: Link
    segment: int
    """Number of the file that holds the line (1 when there is none yet)."""


class Sealed(Value, frozen=True):
    """A line whose MAC is right."""

    link: Link
    prev: bytes


class Broken(StrEnum):
    """Why a line or a head is not one of ours."""

    FORM = "form"
    """Not what `seal` writes: not JSON, not canonical, a member missing."""
    KEY = "key"
    """Sealed under a key with another id, or so it says."""
    MAC = "mac"
    """Not what was sealed."""


def genesis(writer: str) -> Link:
    """What stands before the first line."""
    return Link(writer, 0, bytes(32))


def seal(previous: Link, record: Mapping[str, object], key: ChainKey) -> tuple[bytes, Link]:
    """The record as the next line, newline included, and its link.

    TypeError: the record is not JSON. ValueError: it names a member of the chain, or its line would be too long.
    """
    if not MEMBERS.isdisjoint(record):
        raise ValueError("a record names a member of the chain")
    link_to = {"writer": previous.writer, "seq": previous.seq + 1, "prev": previous.mac.hex(), "key": key.id}
    # Written once: `mac` has its place ("key" stands before it, "prev" behind), and what it covers is the rest.
    before, _, after = _canonical({**record, **link_to, "mac": _PLACE}).partition(_PLACE_BYTE)
    mac = key.mac(_LINE, before.removesuffix(b'"mac":') + after.removeprefix(b","))
    line = before + b'"' + mac.hex().encode("ascii") + b'"' + after + b"\n"
    if len(line) > LINE_MAX_BYTES:
        raise ValueError("a record is too long for a line")
    return line, Link(previous.writer, previous.seq + 1, mac)


def unseal(line: bytes, key: ChainKey) -> Sealed | Broken:
    """Check one line, newline included, by itself: its form and its MAC, not its place."""
    members = _members(line)
    if members is None:
        return Broken.FORM
    mac = _checked(_LINE, members, key)
    if isinstance(mac, Broken):
        return mac
    writer, seq, prev = (members.get(name) for name in ("writer", "seq", "prev"))
    if not isinstance(writer, str) or type(seq) is not int or not isinstance(prev, str):
        return Broken.FORM
    return Sealed(Link(writer, seq, mac), bytes.fromhex(prev))


def seal_head(head: Head, key: ChainKey) -> bytes:
    """`HEAD_BYTES` bytes: canonical JSON, blanks, a newline."""
    members: dict[str, object] = {
        "v": 1,
        "writer": head.link.writer,
        "seq": head.link.seq,
        "last": head.link.mac.hex(),
        "segment": head.segment,
        "key": key.id,
    }
    members["mac"] = key.mac(_HEAD, _canonical(members)).hex()
    return _canonical(members).ljust(HEAD_BYTES - 1) + b"\n"


def unseal_head(raw: bytes, key: ChainKey) -> Head | Broken:
    """Check a head and read it."""
    text = raw.rstrip(b" \n")
    members = _members(text + b"\n")
    if members is None or text.ljust(HEAD_BYTES - 1) + b"\n" != raw:
        return Broken.FORM
    mac = _checked(_HEAD, members, key)
    if isinstance(mac, Broken):
        return mac
    writer, seq, last, segment = (members.get(name) for name in ("writer", "seq", "last", "segment"))
    if not isinstance(writer, str) or type(seq) is not int or not isinstance(last, str) or type(segment) is not int:
        return Broken.FORM
    return Head(Link(writer, seq, bytes.fromhex(last)), segment)


def _canonical(members: Mapping[str, object]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def _members(line: bytes) -> dict[str, object] | None:
    """The members of a line that is exactly what `_canonical` would write, or None."""
    try:
        members = orjson.loads(line)
        canonical = _canonical(members) + b"\n" == line
    except (ValueError, TypeError):
        return None
    return members if isinstance(members, dict) and canonical else None


def _checked(label: bytes, members: dict[str, object], key: ChainKey) -> bytes | Broken:
    """The MAC of these members, when it is the one they hold."""
    rest = dict(members)
    said = rest.pop("mac", None)
    if not isinstance(said, str) or not _MAC.fullmatch(said):
        return Broken.FORM
    if rest.get("key") != key.id:
        return Broken.KEY
    mac = key.mac(label, _canonical(rest))
    return mac if hmac.compare_digest(mac.hex(), said) else Broken.MAC
