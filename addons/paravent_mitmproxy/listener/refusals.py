"""How often each network was refused lately, before anybody there had shown who they are.

A signature costs more to verify than to invent. Whoever sends invented ones by the thousand is told to wait, and
nothing of theirs is verified meanwhile. Refusals alone are counted: a pharmacy group behind one address may ask as much
as it likes. And a token that was verified before is known without another signature, so that who is at work in that
network works on.

Counted in one process, in memory, and forgotten with it. Not of a front proxy that does not say whom it speaks for.
"""

import math
from collections import OrderedDict
from typing import Final

from paravent.quota.origins import network_of
from paravent.reasons import Problem, Reason
from paravent.rules import Prefixes

WINDOW_S: Final = 60.0
"""From the first refusal that counts."""
REMEMBERED: Final = 16_384
"""Networks. Some 300 bytes each; of more at once, the one whose window began first is forgotten."""

_PREFIXES: Final = Prefixes(ipv4=32, ipv6=48)
"""One IPv4 address, which may be a whole group's; one IPv6 site, whose addresses are without number."""

_COUNTED: Final = frozenset({Problem.TOKEN_REFUSED, Problem.PROOF_REFUSED})
"""Not what is no request as we speak it. No signature is looked at for it, and a page of somebody else's can make the
browser send it that has it open: a WebSocket's handshake (Upgrade), a film (Range), an address of 9 000 characters, an
Accept with a byte beyond ASCII (Fetch, CORS-safelisted request-header). Were it counted, the page would stop all who
sign in beside the browser."""
_HONEST: Final = frozenset(
    {
        # What a good token is refused for: its holder's software has still to do something, or its issuer is only
        # watched.
        Reason.DPOP_NONCE,
        Reason.BINDING_MISSING,
        Reason.BINDING_OBSERVED,
    }
)
_OF_ANY_PAGE: Final = frozenset(
    {
        # For a token, any page can make a browser send: none, a login in the address (RFC 7617), the portal's cookie.
        Reason.TOKEN_MISSING,
        Reason.TOKEN_MALFORMED,
        Reason.TOKEN_CROSS_SITE,
    }
)


def counts(reason: Reason) -> bool:
    """Whether a refusal for this reason is one of somebody who may be anybody."""
    return reason.problem in _COUNTED and reason not in _HONEST and reason not in _OF_ANY_PAGE


class Refusals:
    """Per network. Times are seconds of one clock that does not go back."""

    def __init__(self, most: int, networks: int = REMEMBERED) -> None:
        """`most`: in a window. `networks`: how many are remembered."""
        self._most = most
        self._networks = networks
        self._since: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Network → when its window began, and how many refusals since. Oldest window first."""

    def __len__(self) -> int:
        return len(self._since)

    def count(self, source_ip: str | None, reason: Reason, now_s: float) -> None:
        """Of the caller at this address; None: nobody knows whose it is."""
        if source_ip is None or not counts(reason):
            return
        network = network_of(source_ip, _PREFIXES)
        began_s, count = self._since.get(network, (now_s, 0))
        if now_s - began_s >= WINDOW_S:
            self._since.pop(network)
            began_s, count = now_s, 0
        self._since[network] = (began_s, count + 1)
        if len(self._since) > self._networks:
            self._since.popitem(last=False)

    def wait_s(self, source_ip: str | None, now_s: float) -> int | None:
        """How long nothing new is verified for this caller's network; None: it is."""
        if source_ip is None or not self._since:
            return None
        began_s, count = self._since.get(network_of(source_ip, _PREFIXES), (now_s, 0))
        left_s = WINDOW_S - (now_s - began_s)  # this way round, no rounding makes it longer than the window
        return math.ceil(left_s) if count >= self._most and left_s > 0 else None
