"""Asking the management listener of a running node."""

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from paravent.settings import Settings

_DEADLINE_S: Final = 5


def addresses(settings: "Settings") -> tuple[tuple[str, int], ...]:
    """One a worker: each of several has a port of its own behind that of [metrics], which speaks for all."""
    address, workers = settings.metrics.address, settings.listen.workers
    ports = range(1, workers + 1) if workers > 1 else (0,)
    return tuple((address.host, address.port + behind) for behind in ports)


def fetched(host: str, port: int, path: str) -> tuple[int, bytes]:
    """Status and body. Raises OSError when it does not answer, or speaks no HTTP."""
    connection = HTTPConnection(host, port, timeout=_DEADLINE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except HTTPException as error:
        raise ConnectionError("the management listener does not speak HTTP") from error
    finally:
        connection.close()
