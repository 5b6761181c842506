"""Requests built before the clock starts: pharmacists of their own, each with a token and single-use proofs."""

import time

from bench.upstream import PERSON
from paravent.sandbox.proofs import DpopKey
from paravent.sandbox.tokens import TokenMint, Wish

PER_PRACTITIONER = 18
"""The reference policy lets a pharmacist send 20 requests in 10 s."""

TARGET = "/v1/droits/consultation"


def build(count: int, mint: TokenMint, origin: str, serial: int) -> list[bytes]:
    """`count` requests; the question is always the same, the proof never, nor the practitioners of another `serial`."""
    body = b'{"immatriculation":"%s","dateNaissance":"%s","rangGemellaire":1,"domaine":"PHAR"}' % (
        str(PERSON["immatriculation"]).encode(),
        str(PERSON["dateNaissance"]).encode(),
    )
    now_s = int(time.time())
    built: list[bytes] = []
    practitioner = serial * 100_000
    while len(built) < count:
        practitioner += 1
        key = DpopKey.generate()
        token = mint.mint(Wish(rpps=f"999{practitioner:08d}", jkt=key.jkt, ttl_s=900), now_s)
        for _ in range(min(PER_PRACTITIONER, count - len(built))):
            proof = key.proof("POST", origin + TARGET, token, now_s)
            built.append(
                b"POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: DPoP %s\r\nDPoP: %s\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                % (TARGET.encode(), token.encode(), proof.encode(), len(body), body)
            )
    # One practitioner's requests apart from each other, as a portal interleaves them.
    return [built[i] for start in range(PER_PRACTITIONER) for i in range(start, len(built), PER_PRACTITIONER)]
