"""How soon a worker that ended is started again."""

import errno
import itertools
import os
import signal
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from paravent_mitmproxy.workers import BACK_OFF_MAX_S, BACK_OFF_S, STEADY_S, Sockets, Supervisor, back_off_s


def test_one_that_ends_again_and_again_waits_longer_each_time() -> None:
    """Twice as long, up to a bound: it takes no core, and is not forgotten."""
    waits = list(itertools.accumulate(range(12), lambda last, _: back_off_s(last, 0.5), initial=0.0))[1:]
    assert waits[:4] == [BACK_OFF_S, 2 * BACK_OFF_S, 4 * BACK_OFF_S, 8 * BACK_OFF_S]
    assert waits[-1] == BACK_OFF_MAX_S


def test_one_that_lived_is_started_at_once_again() -> None:
    """What ended it lies in the present."""
    assert back_off_s(BACK_OFF_MAX_S, STEADY_S) == BACK_OFF_S


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    settings = SimpleNamespace(listen=SimpleNamespace(workers=2))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with socket.socket() as shared:
        yield Supervisor(settings, Sockets((), socket.socket, shared, lambda _: shared), lambda: None)  # type: ignore[arg-type]
    signal.pthread_sigmask(signal.SIG_SETMASK, before)  # what is started from here would never hear a signal


def test_one_that_cannot_be_started_waits_too(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory or no process left for it: the parent lives on, since with it all the others would end."""
    monkeypatch.setattr(os, "fork", raising(errno.EAGAIN))
    supervisor._announced = True
    for wait_s in (BACK_OFF_S, 2 * BACK_OFF_S):
        worker = supervisor._workers[1]
        assert supervisor._fork(worker) is None
        assert (worker.pid, worker.due_s - worker.started_s >= wait_s, supervisor._stopping) == (None, True, False)


def test_who_cannot_begin_at_all_says_so(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start of all: exit code 1, and nobody goes on trying."""
    monkeypatch.setattr(os, "fork", raising(errno.ENOMEM))
    with pytest.raises(SystemExit) as ended:
        supervisor.run()
    assert ended.value.code == 1


def raising(code: int) -> object:
    def fork() -> int:
        raise OSError(code, "")

    return fork
