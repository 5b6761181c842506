r"""The PROXY protocol, version 2: a front proxy says whom it connects for, before anything else.

    0d0a0d0a 000d0a51 5549540a   21   11   000c     7f000001 c0000201  d431 01bb    …
    signature                    cmd  kind length   source, destination, ports      TLVs, skipped

Only of a front proxy that the configuration names, and then always: a connection without it has no first request.
What is not exactly this is closed and counted. Version 1 is text with several readings, and is not spoken. The one
document is HAProxy's doc/proxy-protocol.txt; its sections are quoted below.
"""

import asyncio
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, cast, override

from paravent_mitmproxy.listener.client import ClientConnection
from paravent_mitmproxy.listener.house import House, IpAddress, plain_address

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
FIXED: Final = struct.Struct("!12sBBH")
LONGEST: Final = 4096
"""Of the part behind the fixed one. The addresses have 36 bytes at most; the largest TLV that HAProxy writes, a client
certificate, some 2 KB."""

LOCAL: Final = 0x20
PROXY: Final = 0x21
_ADDRESSES: Final = {0x11: struct.Struct("!4s4sHH"), 0x21: struct.Struct("!16s16sHH")}
"""Section 2.2: TCP over IPv4, TCP over IPv6. Nothing else comes to an HTTP listener."""
_TLV: Final = struct.Struct("!BH")


@dataclass(frozen=True, slots=True)
class Introduced:
    """A header that was read."""

    bytes_read: int
    source: tuple[IpAddress, int] | None
    """Whom the front proxy connects for. None: for itself (LOCAL), to see whether we are there."""


class Malformed(ValueError):
    """Bytes that are no such header, and will not become one."""


def read_introduction(data: bytes) -> Introduced | None:
    """The header at the beginning of `data`; None when it is not whole yet. Raises Malformed."""
    if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
        raise Malformed
    if len(data) < FIXED.size:
        return None
    _, command, kind, length = FIXED.unpack_from(data)
    if command not in {LOCAL, PROXY} or length > LONGEST:
        raise Malformed
    end = FIXED.size + length
    if len(data) < end:
        return None
    if command == LOCAL:
        # Section 2.2: the receiver must use the real endpoints, and discard the rest.
        return Introduced(end, None)
    addresses = _ADDRESSES.get(kind)
    if addresses is None or length < addresses.size:
        raise Malformed
    source, _, port, _ = addresses.unpack_from(data, FIXED.size)
    _check_tlvs(data[FIXED.size + addresses.size : end])
    address = IPv4Address(source) if len(source) == 4 else IPv6Address(source)
    return Introduced(end, (plain_address(str(address)), port))


def _check_tlvs(data: bytes) -> None:
    """Nothing in them is believed, but they must end where the header ends."""
    while data:
        if len(data) < _TLV.size:
            raise Malformed
        end = _TLV.size + _TLV.unpack_from(data)[1]
        if len(data) < end:
            raise Malformed
        data = data[end:]


class Introduction(asyncio.Protocol):
    """Holds a connection until its header is read, then hands it to a `ClientConnection`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._guest = ClientConnection(house)
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        try:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._house.limits.head_s, self._transport.abort)
            self._guest.door = self._transport
            if not self._guest.knock(transport.get_extra_info("peername") or ("0.0.0.0", 0)):  # noqa: S104 (nobody's)
                self._transport.abort()
        except Exception:
            # As in `ClientConnection`: no other call would end it.
            self._transport.abort()
            self._house.metrics.hook_raised("listener")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._house.leave(self._guest)
        finally:
            self._stop_timer()

    @override
    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            self._read(transport, data)
        except Malformed:
            self._house.metrics.connection_refused("introduction")
            transport.abort()
        except BaseException:
            self._house.metrics.hook_raised("listener")
            transport.abort()

    def _read(self, transport: asyncio.Transport, data: bytes) -> None:
        self._buffer += data
        read = read_introduction(self._buffer)
        if read is None:
            return
        self._stop_timer()
        if read.source is not None and not self._guest.stands_for(read.source):
            transport.abort()
            return
        guest = self._guest
        transport.set_protocol(guest)
        guest.connection_made(transport)
        if len(self._buffer) > read.bytes_read:
            guest.data_received(self._buffer[read.bytes_read :])

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
