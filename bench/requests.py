"""Requests built before the clock starts: pharmacists of their own, with tokens bound as portals bind them."""

import time
from collections.abc import Iterator
from itertools import cycle

from bench.targets import ORIGIN, Certificates, Door
from bench.upstream import PERSON
from paravent.identity.issuers import MAX_LIFETIME_S
from paravent.sandbox.proofs import DpopKey
from paravent.sandbox.tokens import TokenMint, Wish

PER_PRACTITIONER = 18
"""The reference policy lets a pharmacist send 20 requests in 10 s."""

TARGET = "/v1/droits/consultation"

BODY = b'{"immatriculation":"%s","dateNaissance":"%s","rangGemellaire":1,"domaine":"PHAR"}' % (
    str(PERSON["immatriculation"]).encode(),
    str(PERSON["dateNaissance"]).encode(),
)


class Requests:
    """The question is always the same; no practitioner comes twice, and no proof."""

    def __init__(self, mint: TokenMint, door: Door, certificates: Certificates) -> None:
        self._mint = mint
        self._door = door
        self._x5t_s256 = certificates.portal.x5t_s256
        self._client_cert = certificates.client_cert() if door is Door.FRONT else b""
        self._practitioner = 0

    def build(self, count: int) -> list[bytes]:
        now_s = int(time.time())
        built: list[bytes] = []
        while len(built) < count:
            self._practitioner += 1
            credentials = self._bound(f"999{self._practitioner:08d}", now_s)
            built += [_wire(next(credentials)) for _ in range(min(PER_PRACTITIONER, count - len(built)))]
        # One practitioner's requests apart from each other, as a portal interleaves them.
        return [built[i] for start in range(PER_PRACTITIONER) for i in range(start, len(built), PER_PRACTITIONER)]

    def forever(self, practitioners: int) -> Iterator[bytes]:
        """The same practitioners in turn, each with one token for as long as tokens live."""
        now_s = int(time.time())
        rows = [self._bound(f"998{number:08d}", now_s, MAX_LIFETIME_S) for number in range(practitioners)]
        for credentials in cycle(rows):
            yield _wire(next(credentials))

    def _bound(self, rpps: str, now_s: int, ttl_s: int = 900) -> Iterator[bytes]:
        """The header fields of one practitioner's requests."""
        if self._door is not Door.DPOP:
            token = self._mint.mint(Wish(rpps=rpps, x5t_s256=self._x5t_s256, ttl_s=ttl_s), now_s)
            while True:
                yield b"Authorization: Bearer %s\r\n%s" % (token.encode(), self._client_cert)
        key = DpopKey.generate()
        token = self._mint.mint(Wish(rpps=rpps, jkt=key.jkt, ttl_s=ttl_s), now_s)
        while True:
            proof = key.proof("POST", ORIGIN + TARGET, token, now_s)
            yield b"Authorization: DPoP %s\r\nDPoP: %s\r\n" % (token.encode(), proof.encode())


def _wire(credentials: bytes) -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: bench\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (TARGET.encode(), credentials, len(BODY)) + BODY
