"""`bench.relay`, which `./dev bench` measures as the least a proxy does, does it."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from bench.client import run
from bench.targets import Certificates, Target, relay, upstream
from bench.upstream import answer

pytestmark = pytest.mark.real

QUESTION = b"POST /v1/droits/consultation HTTP/1.1\r\nHost: bench\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with upstream(tmp_path_factory.mktemp("upstream")) as target:
        yield target


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("ledger", [False, True], ids=["bare", "with a ledger"])
@pytest.mark.parametrize("tls", [False, True], ids=["plaintext", "TLS"])
def test_every_answer_is_the_upstreams_and_with_a_ledger_its_line_is_written(
    bare: Target, certificates: Certificates, tmp_path: Path, *, tls: bool, ledger: bool
) -> None:
    """On kept connections and on new ones."""
    with relay(tmp_path, bare.port, certificates if tls else None, ledger=ledger) as target:
        assert asyncio.run(_body(target.port, target.tls)) == answer()
        for reconnect in (False, True):
            assert asyncio.run(run(target.port, [QUESTION] * 40, 8, reconnect=reconnect, tls=target.tls)).refused == 0
        lines = (tmp_path / "ledger").read_bytes().splitlines() if ledger else []
        assert len(lines) == (81 if ledger else 0)


def test_a_certificate_of_somebody_else_is_refused(bare: Target, certificates: Certificates, tmp_path: Path) -> None:
    """It is checked, or the relay would leave out what TLS costs ours."""
    other = tmp_path / "other"
    other.mkdir()
    stranger = ssl.create_default_context(cafile=certificates.authority)
    portal = Certificates.make(other).portal
    stranger.load_cert_chain(portal.certificate, portal.key)
    with relay(tmp_path, bare.port, certificates, ledger=False) as target, suppress(ConnectionError, ssl.SSLError):
        assert asyncio.run(_body(target.port, stranger)) == b""


async def _body(port: int, tls: ssl.SSLContext | None) -> bytes:
    """Of one answer, on a connection that is closed after it."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(QUESTION.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        read = await reader.read()
        writer.close()
        return read.partition(b"\r\n\r\n")[2]
