"""RedisLedger answers as the naive model does, on a real server."""

from collections.abc import Iterator

import pytest

from ledger_machine import RETENTION_S, SETTINGS, LedgerMachine
from ledgers import PATIENT_MS
from paravent.stores.redis import RedisLedger
from redis_server import RedisServer, running_redis


@pytest.fixture(scope="module", autouse=True)
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        RedisMachine.redis = running
        yield


class RedisMachine(LedgerMachine):
    """On one server, emptied for each run."""

    redis: RedisServer

    def begin(self) -> None:
        self.redis.client().flushall()

    def open(self) -> RedisLedger:
        return RedisLedger(self.redis.server, deadline_ms=PATIENT_MS, retention_s=RETENTION_S, server_time=False)


class RedisMidnightMachine(RedisMachine):
    """Under the calendar of Paris, which the script works out by itself."""

    AT_MIDNIGHT = True


RedisMidnightMachine.TestCase.settings = SETTINGS
TestRedisLedgerAtMidnight = pytest.mark.real(RedisMidnightMachine.TestCase)
RedisMachine.TestCase.settings = SETTINGS
TestRedisLedgerAgainstTheModel = pytest.mark.real(RedisMachine.TestCase)
