"""Short lists in Redis. Calls are few (a node looks twice a second) and may wait, so that the ordinary client does."""

from collections.abc import Callable
from typing import Any, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError
from redis.retry import Retry

from paravent.stores.redis_link import Server

TIMEOUT_S: Final = 2.0

UNANSWERED: Final = (RedisError, RedisClusterException)
"""What the ordinary client raises for a store that cannot be asked. Those of a cluster are no kind of the others, and a
pipeline's come past `_Cluster`."""


def client(server: Server) -> Any:
    """Connects when it is first asked."""
    tls: dict[str, Any] = {}
    if server.ca is not None:
        tls = {"ssl": True, "ssl_ca_certs": str(server.ca), "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    if server.certificate is not None:
        tls |= {"ssl_certfile": str(server.certificate[0]), "ssl_keyfile": str(server.certificate[1])}
    options = {
        "username": server.user,
        "password": None if server.password is None else server.password.reveal(),
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        # A call that is repeated by itself would take twice its deadline.
        "retry": Retry(NoBackoff(), 0),
        **tls,
    }
    if server.cluster:
        return _Cluster(server, options)
    return Redis(server.host, server.port, db=server.database, **options)


class _Cluster:
    """The usual client of a cluster, which asks for the masters as soon as it is made: so it is made when it is first
    needed. What it calls errors of its own are errors like the others here."""

    def __init__(self, server: Server, options: dict[str, Any]) -> None:
        self._server = server
        self._options = options
        self._made: Any = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                if self._made is None:
                    self._made = RedisCluster(self._server.host, self._server.port, **self._options)
                told = getattr(self._made, name)(*arguments, **named)
                return list(told) if name == "scan_iter" else told
            except RedisClusterException:
                raise RedisConnectionError("the cluster does not answer") from None

        return call
