"""A real Redis Cluster of three masters on loopback, made by `redis-cli --cluster create`.

with running_cluster(folder) as cluster:
    ledger = ClusterLedger(cluster.seed)
    cluster.masters[1].kill()
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paravent.simulate.processes import free_ports
from paravent.stores.redis_link import Server
from redis_server import RedisServer, running_redis

MASTERS = 3
START_S = 30.0
OPTIONS = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "2000"),
    *("--appendonly", "yes", "--appendfsync", "always"),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    masters: tuple[RedisServer, ...]

    @property
    def seed(self) -> Server:
        return self.masters[0].server

    def flush(self) -> None:
        for each in self.masters:
            each.client().flushall()

    def keys(self) -> dict[bytes, int]:
        """Every key of every master → milliseconds left to live."""
        return {key: client.pttl(key) for client in self._clients() for key in client.scan_iter()}

    def master_of(self, key: str) -> RedisServer:
        slot = int(self.masters[0].client().cluster("KEYSLOT", key))
        for each in self.masters:
            if any(first <= slot <= last for first, last in _ranges(each.client())):
                return each
        raise AssertionError("a slot without a master")

    def well(self) -> None:
        """Wait until every master says that the cluster is."""
        until_s = time.monotonic() + START_S
        while time.monotonic() < until_s:
            if all(b"cluster_state:ok" in _info(each.client()) for each in self.masters):
                return
            time.sleep(0.05)
        raise AssertionError("the cluster did not come up")

    def _clients(self) -> list[Any]:
        return [each.client() for each in self.masters]


def _info(client: Any) -> bytes:
    told = client.execute_command("CLUSTER INFO")
    if isinstance(told, dict):
        return b"cluster_state:" + str(told["cluster_state"]).encode()
    return told.encode() if isinstance(told, str) else bytes(told)


def _ranges(client: Any) -> list[tuple[int, int]]:
    """Slots of the node that is asked."""
    mine = client.execute_command("CLUSTER MYID")
    name = mine.decode() if isinstance(mine, bytes) else str(mine)
    told = client.execute_command("CLUSTER SHARDS")
    ranges = []
    for shard in told:
        pairs = shard if isinstance(shard, dict) else dict(zip(shard[::2], shard[1::2], strict=True))
        slots, nodes = _member(pairs, "slots"), _member(pairs, "nodes")
        known = [node if isinstance(node, dict) else dict(zip(node[::2], node[1::2], strict=True)) for node in nodes]
        if name in [_text(_member(node, "id")) for node in known]:
            flat = [int(each) for pair in slots for each in (pair if isinstance(pair, list | tuple) else (pair,))]
            ranges += list(zip(flat[::2], flat[1::2], strict=True))
    return ranges


def _member(pairs: Any, name: str) -> Any:
    return pairs.get(name, pairs.get(name.encode()))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    program = shutil.which("redis-cli") or shutil.which("valkey-cli")
    assert program is not None, "install redis-server"
    with ExitStack() as stack:
        masters = tuple(
            stack.enter_context(running_redis(folder / f"master{number}", *OPTIONS, "--cluster-port", str(port)))
            for number, port in enumerate(free_ports(MASTERS))
        )
        places = [f"127.0.0.1:{each.port}" for each in masters]
        done = subprocess.run(
            [program, "--cluster", "create", *places, "--cluster-yes"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        cluster = Cluster(masters)
        cluster.well()
        yield cluster
