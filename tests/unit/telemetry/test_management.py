"""The management listener: what operators and Prometheus ask, and nothing else."""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

import pytest

from paravent.telemetry import management as module
from paravent.telemetry.management import Management
from paravent.telemetry.metrics import Metrics


def NO_LOGOUT(form: bytes) -> int:
    raise AssertionError("nobody reports a logout here")


JWKS = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}


@contextmanager
def management(
    checks: Mapping[str, bool] | Exception, host: str = "127.0.0.1", logout: Callable[[bytes], int] = NO_LOGOUT
) -> Iterator[Management]:
    def readiness() -> Mapping[str, bool]:
        if isinstance(checks, Exception):
            raise checks
        return checks

    served = Management(module.listen(host, 0), Metrics(), readiness, JWKS, logout)
    served.start()
    try:
        yield served
    finally:
        served.close()


BROWSER = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def ask(served: Management, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection(*served.address, timeout=5)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


@pytest.mark.parametrize(
    ("path", "status", "content_type"),
    [
        pytest.param("/metrics", 200, "text/plain; version=", id="metrics are in Prometheus' text format"),
        pytest.param("/healthz", 200, "text/plain", id="alive"),
        pytest.param("/readyz", 200, "application/json", id="ready"),
        pytest.param("/jwks.json", 200, "application/jwk-set+json", id="the key that signs assertions"),
        pytest.param("/", 404, "text/plain", id="no index"),
        pytest.param("/metrics/", 404, "text/plain", id="no path but the exact one"),
        pytest.param("/v1/droits/consultation", 404, "text/plain", id="no path of the proxied port"),
    ],
)
def test_paths(path: str, status: int, content_type: str) -> None:
    """Four paths; none of them may be kept by a cache, or taken by a browser for what it is not."""
    with management({"policy": True}) as served:
        got, headers, _ = ask(served, path)
    assert got == status
    assert headers["Content-Type"].startswith(content_type)
    assert {name: headers[name] for name in BROWSER} == BROWSER
    assert headers["Server"].strip() == "paravent"


def test_one_part_that_is_not_well_is_named() -> None:
    """/readyz is 503 when any part is not well, and says which."""
    with management({"policy": True, "audit": False}) as served:
        status, _, body = ask(served, "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "checks": {"policy": True, "audit": False}}


def test_a_broken_policy_edit_is_said_and_takes_no_node_out() -> None:
    """The last good policy serves: the check fails in the body, the status stays 200."""
    with management({"policy": False, "audit": True}) as served:
        status, _, body = ask(served, "/readyz")
    assert status == 200
    assert json.loads(body) == {"ready": True, "checks": {"policy": False, "audit": True}}


def test_readiness_that_raises_is_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    """An exception while asking is 503, not an empty answer; its text is not in it."""
    with management(RuntimeError("2840599990003")) as served:
        status, _, body = ask(served, "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "checks": {"readiness": False}}
    assert "readiness_failed" in caplog.messages


def test_other_methods_are_refused_without_an_echo() -> None:
    """An unknown method, or what is no request, gets a constant, not the standard page or the standard status line
    that repeat it."""
    with management({}) as served:
        status, headers, body = ask(served, "/metrics", "PUT")
        assert (status, body) == (501, b"refused\n")
        assert {name: headers[name] for name in BROWSER} == BROWSER
        for sent in (
            b"PUT284059999 /metrics HTTP/1.0\r\n\r\n",
            b"GET /284059999 HTTP/284059999\r\n\r\n",
            b"GET / 284059999 HTTP/1.0\r\n\r\n",
        ):
            with socket.create_connection(served.address, timeout=5) as odd:
                odd.sendall(sent)
                assert b"284059999" not in b"".join(iter(lambda: odd.recv(4096), b""))


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens more than their share gets an end at once; when they go, others are served again."""
    monkeypatch.setattr(module, "CONNECTIONS", 3)
    with management({}) as served:
        idle = [socket.create_connection(served.address, timeout=5) for _ in range(3)]
        with socket.create_connection(served.address, timeout=5) as fourth:
            assert fourth.recv(1) == b""
        for each in idle:
            each.close()
        assert answered_within(served, 5)


def test_a_client_that_drips_does_not_keep_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then restarts no clock: the connection has one deadline, and then its place is free."""
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    monkeypatch.setattr(module, "LONGEST_S", 0.2)
    with management({}) as served, socket.create_connection(served.address, timeout=5) as dripping:
        dripping.sendall(b"GET /healthz HTTP/1.0\r\nX: ")
        # Raises when the other side has gone.
        with pytest.raises(ConnectionError):
            drip(dripping, 1000)
        assert answered_within(served, 5)


def drip(connection: socket.socket, count: int) -> None:
    for _ in range(count):
        connection.sendall(b"x")
        time.sleep(0.01)


def answered_within(served: Management, seconds: float) -> bool:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            return ask(served, "/healthz")[0] == 200
        except (http.client.HTTPException, OSError):
            time.sleep(0.01)
    return False


def test_a_scraper_that_hangs_up_writes_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    """A failed request goes to our log; socketserver's own report on standard error does not appear."""
    with management({}) as served:
        for _ in range(3):
            rude = socket.create_connection(served.address, timeout=5)
            # A reset instead of an end: the handler fails while it reads or writes.
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            rude.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            rude.close()
        assert ask(served, "/healthz")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_ipv6() -> None:
    """An IPv6 address can be listened on."""
    try:
        with closing(socket.socket(socket.AF_INET6)) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with management({}, "::1") as served:
        assert ask(served, "/healthz")[0] == 200


def test_a_taken_address_is_told_at_once() -> None:
    """Binding happens before anything is served."""
    with management({}) as served:
        host, port = served.address
        with pytest.raises(OSError, match="in use"):
            module.listen(host, port)
