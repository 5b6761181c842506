"""Short lists in Redis. Calls are few (a node looks twice a second) and may wait, so that the ordinary client does."""

from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from paravent.stores.redis_link import Server

TIMEOUT_S: Final = 2.0


def client(server: Server) -> Any:
    """Connects when it is first asked."""
    tls: dict[str, Any] = {}
    if server.ca is not None:
        tls = {"ssl": True, "ssl_ca_certs": str(server.ca), "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    if server.certificate is not None:
        tls |= {"ssl_certfile": str(server.certificate[0]), "ssl_keyfile": str(server.certificate[1])}
    return Redis(
        server.host,
        server.port,
        db=server.database,
        username=server.user,
        password=None if server.password is None else server.password.reveal(),
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # A call that is repeated by itself would take twice its deadline.
        retry=Retry(NoBackoff(), 0),
        **tls,
    )
