"""How long a judgement about a caller's certificate holds."""

import base64
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from certificates import CLIENT, Authority, Pair
from paravent_mitmproxy.listener.callers import GOOD_FOR_S, CallerCertificates

HOUR_S = 3600.0


class Wall:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


def header(pair: Pair) -> bytes:
    certificate = load_pem_x509_certificate(pair.certificate.read_bytes())
    return b":" + base64.b64encode(certificate.public_bytes(Encoding.DER)) + b":"


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


async def test_it_ends_with_the_certificate(ca: Authority) -> None:
    """Remembered as good, it is none the moment after it expired."""
    wall = Wall()
    callers = CallerCertificates(ca.certificate, wall)
    pair = ca.issue("caller", use=CLIENT, until=0.5)
    assert callers.judge(header(pair)) == pair.sha256
    wall.now_s += HOUR_S / 2 - 60
    assert callers.judge(header(pair)) == pair.sha256
    wall.now_s += 120
    assert callers.judge(header(pair)) is None


async def test_it_ends_with_the_authority(ca: Authority) -> None:
    """However long the certificate itself is good: its chain is judged again each hour."""
    wall = Wall()
    callers = CallerCertificates(ca.certificate, wall)
    pair = ca.issue("caller", use=CLIENT, until=1000)
    assert callers.judge(header(pair)) == pair.sha256
    wall.now_s += 24 * HOUR_S + GOOD_FOR_S
    assert callers.judge(header(pair)) is None


async def test_one_that_was_not_yet_good_becomes_good(ca: Authority) -> None:
    """Two clocks differ by a minute or two, and nobody waits for an hour."""
    wall = Wall()
    callers = CallerCertificates(ca.certificate, wall)
    pair = ca.issue("caller", use=CLIENT, since=0.05)
    assert callers.judge(header(pair)) is None
    wall.now_s += 0.1 * HOUR_S
    assert callers.judge(header(pair)) == pair.sha256
