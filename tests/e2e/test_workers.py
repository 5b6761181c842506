"""Several workers on one port: one budget, one ledger, and nobody misses one that dies."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from paravent.simulate.client import Login
from paravent.simulate.processes import free_ports
from stack import Reply, Stack, running_stack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("serve")]

WORKERS = 4
LIMIT = 10


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path, start=False) as made:
        text = made.config.read_text()
        made.config.write_text(text.replace("[listen]\n", f"[listen]\nworkers = {WORKERS}\n", 1))
        quotas = made.policies / "quotas.yaml"
        quotas.write_text(re.sub(r"limit: [0-9]+, per: 10s", "limit: 1000, per: 10s", quotas.read_text()))
        made.start()
        yield made


def children(stack: Stack) -> list[int]:
    """The workers that live, in no order."""
    assert stack.proxy is not None
    pid = stack.proxy.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def eventually(true: Callable[[], bool], within_s: float = 30.0) -> None:
    until_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def stands_still(pid: int) -> bool:
    """Every thread of it: until then, one may still take a call that nobody will answer."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(state == "T" for state in states)


def is_ready(stack: Stack) -> bool:
    """Until a worker listens again, its port of metrics refuses."""
    try:
        return stack.scrape("/readyz")[0] == 200
    except ConnectionError:
        return False


def accepts(url: str) -> bool:
    """Somebody still listens there."""
    place = urlsplit(url)
    with socket.socket() as caller:
        return caller.connect_ex((place.hostname or "", place.port or 0)) == 0


def at_once(stack: Stack, login: Login, persons: range) -> list[Reply]:
    """Each person asked about on a connection of its own, sixteen at a time."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda person: stack.consult(login, person), persons))


def told(stack: Stack) -> tuple[str, list[str]]:
    """From the line that the parent prints: where whoever is free tells of all, and where each tells of itself."""
    assert stack.proxy is not None
    text = stack.proxy.log.read_text()
    (everybody,) = re.findall(r"health on (\S+)/readyz", text)
    return everybody, re.findall(r"(http://\S+)/metrics", text)


def audit_verify(stack: Stack) -> int:
    done = stack.parts.start("verify", "-m", "paravent.cli", "audit", "verify", "--config", str(stack.config))
    return done.process.wait(60)


def test_one_budget_for_all(stack: Stack) -> None:
    """Forty persons asked about at once, through all workers: exactly as many answers as the budget has."""
    quotas = stack.policies / "quotas.yaml"
    text = quotas.read_text()
    assert "limit: 60,   per: 10m" in text or re.search(r"limit: 60, +per: 10m", text)
    quotas.write_text(re.sub(r"limit: 60, +per: 10m", f"limit: {LIMIT}, per: 10m", text))
    login = stack.login()
    eventually(lambda: all(_limit(stack.consult(login, 1)) == LIMIT for _ in range(3 * WORKERS)))
    replies = at_once(stack, login, range(100, 140))
    assert sorted(reply.status for reply in replies) == [200] * (LIMIT - 1) + [429] * (41 - LIMIT)
    writers = {path.name.split("-")[1] for path in (stack.folder / "audit").glob("ledger-*.jsonl")}
    assert writers == {"1", "2", "3", "4"}
    records = [
        json.loads(line)
        for path in (stack.folder / "audit").glob("ledger-*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert sum(record["reason"] == "persons_over_budget" for record in records) == 41 - LIMIT
    assert audit_verify(stack) == 0


def _limit(reply: Reply) -> int:
    match = re.search(r'"persons-10m";q=([0-9]+)', reply.headers["ratelimit-policy"])
    assert match
    return int(match[1])


def test_a_killed_worker_is_replaced_and_not_missed(stack: Stack) -> None:
    """The others go on; another takes its place, its port of metrics and its chain of the ledger."""
    login = stack.login()
    before = set(children(stack))
    assert len(before) == WORKERS
    os.kill(min(before), signal.SIGKILL)
    eventually(lambda: min(before) not in children(stack))
    assert all(reply.status == 200 for reply in at_once(stack, login, range(10)))
    eventually(lambda: len(children(stack)) == WORKERS)
    everybody, each = told(stack)
    assert len(each) == WORKERS
    for number, stack.management in enumerate(each, 1):
        eventually(lambda: is_ready(stack))
        assert f'paravent_ready{{worker="{number}"}} 1.0' in stack.metrics()
    assert all(reply.status == 200 for reply in at_once(stack, login, range(10, 30)))
    stack.management = everybody
    eventually(lambda: all(json.loads(stack.scrape("/readyz")[1])["checks"].values()))
    assert audit_verify(stack) == 0


def test_the_metrics_of_a_dead_worker_refuse_at_once(stack: Stack) -> None:
    """A scraper is told that nobody is there, and waits for no deadline of its own; then the next worker answers."""
    everybody, each = told(stack)
    assert stack.proxy is not None
    parent, victims = stack.proxy.process.pid, children(stack)
    os.kill(parent, signal.SIGSTOP)  # it starts nobody
    try:
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(accepts(url) for url in each))
    finally:
        os.kill(parent, signal.SIGCONT)
    for stack.management in each:
        eventually(lambda: accepts(stack.management) and stack.scrape("/metrics")[0] == 200)
    stack.management = everybody
    assert stack.scrape("/readyz")[0] == 200


def test_while_no_worker_runs_the_shared_address_refuses(stack: Stack) -> None:
    """A load balancer is told at once, and waits for no deadline of its own; then the next worker tells of all."""
    everybody, _ = told(stack)
    assert accepts(everybody)
    for pid in children(stack):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not accepts(everybody))
    stack.management = everybody
    eventually(lambda: is_ready(stack) and all(json.loads(stack.scrape("/readyz")[1])["checks"].values()))
    os.kill(min(children(stack)), signal.SIGKILL)
    for _ in range(100):
        assert accepts(everybody)  # one that is missed by nobody


def test_the_shared_address_outlives_starts_that_fail(stack: Stack) -> None:
    """All are killed, and the policy was broken meanwhile: once it is mended, whoever is free tells of all again."""
    everybody, _ = told(stack)
    quotas = stack.policies / "quotas.yaml"
    good = quotas.read_text()
    quotas.write_text("quotas: [")
    for pid in children(stack):
        os.kill(pid, signal.SIGKILL)
    assert stack.proxy is not None
    log = stack.proxy.log
    eventually(lambda: log.read_text().count('"worker_ended"') > 2 * WORKERS)
    quotas.write_text(good)
    stack.management = everybody
    eventually(lambda: is_ready(stack) and all(json.loads(stack.scrape("/readyz")[1])["checks"].values()), 60)


def test_while_all_workers_hang_the_shared_address_refuses(stack: Stack) -> None:
    """As while there is none: nobody is kept waiting for who does not die. Then they go on, and so does it."""
    everybody, _ = told(stack)
    victims = children(stack)
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: not accepts(everybody))
    finally:
        for pid in victims:
            os.kill(pid, signal.SIGCONT)
    stack.management = everybody
    eventually(lambda: is_ready(stack) and all(json.loads(stack.scrape("/readyz")[1])["checks"].values()))
    assert sorted(children(stack)) == sorted(victims)


def test_one_port_tells_of_all(stack: Stack) -> None:
    """Ready as long as one is, with each by name, also one that hangs; metrics are each worker's own, and not there."""
    stack.management, _ = told(stack)
    victim = min(children(stack))
    os.kill(victim, signal.SIGSTOP)  # it cannot be replaced while it is not dead
    eventually(lambda: stands_still(victim))

    def checks() -> list[bool]:
        status, body = stack.scrape("/readyz")
        assert status == 200
        return list(json.loads(body)["checks"].values())

    try:
        eventually(lambda: checks().count(False) == 1)
        assert len(checks()) == WORKERS
        assert stack.scrape("/metrics")[0] == 404
        assert stack.scrape("/jwks.json")[0] == 200
    finally:
        os.kill(victim, signal.SIGCONT)
    eventually(lambda: all(checks()))


def test_commands_ask_every_worker(stack: Stack) -> None:
    """Each on its own port, behind the one that tells of all: one that hangs is missed."""
    stack.stop()
    any_port = '[metrics]\naddress = "127.0.0.1:0"'
    text = stack.config.read_text()
    stack.config.write_text(text.replace(any_port, any_port.replace(":0", f":{_in_a_row(WORKERS + 1)}")))
    stack.start()
    assert _command(stack, "policy", "drift")[0] == 0
    assert _command(stack, "status") == (0, "".join(f"worker {n}: ready\n" for n in range(1, WORKERS + 1)))
    victim = min(children(stack))
    os.kill(victim, signal.SIGSTOP)
    eventually(lambda: stands_still(victim))
    try:
        status, said = _command(stack, "status")
        assert (status, said.count("does not answer"), said.count("ready")) == (1, 1, WORKERS - 1)
    finally:
        os.kill(victim, signal.SIGCONT)


def _in_a_row(count: int) -> int:
    """The first of so many ports that nobody listens on."""
    while True:
        (first,) = free_ports(1)
        if not any(accepts(f"http://127.0.0.1:{first + n}") for n in range(count)):
            return first


def _command(stack: Stack, *words: str) -> tuple[int, str]:
    done = stack.parts.start("asked", "-m", "paravent.cli", *words, "--config", str(stack.config))
    return done.process.wait(60), done.log.read_text()


def test_what_is_wrong_for_all_is_said_once(stack: Stack) -> None:
    """A ledger that was cut off: exit code 2 with one sentence, and nobody goes on trying."""
    stack.stop()
    (port,) = free_ports(1)
    everybody = f"127.0.0.1:{port}"
    stack.config.write_text(
        stack.config.read_text().replace('[metrics]\naddress = "127.0.0.1:0"', f'[metrics]\naddress = "{everybody}"')
    )
    (stack.folder / "audit" / ".ledger-1.head").write_bytes(b"x")
    started = stack.parts.start("again", "-m", "paravent.cli", "serve", "--config", str(stack.config))
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(started.process.wait, 30)
        taken = {accepts(f"http://{everybody}") for _ in iter(ended.done, True)}
    assert ended.result() == 2
    assert taken == {False}, "and nobody is kept waiting on the address that tells of all"
    assert started.log.read_text().count("audit.path: ") == 1


def test_sigterm_drains_all(stack: Stack) -> None:
    """The parent ends when the last of them has, with nothing left behind."""
    workers = children(stack)
    assert stack.proxy is not None
    process = stack.proxy.process
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert audit_verify(stack) == 0


def test_the_second_signal_stops_at_once(tmp_path: Path) -> None:
    """Also while requests wait for an upstream that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        upstream = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with running_stack(tmp_path, upstream=upstream, start=False) as stack:
            text = stack.config.read_text().replace("[listen]\n", "[listen]\nworkers = 2\n", 1)
            stack.config.write_text(text.replace("[upstream]\n", '[upstream]\ntimeout = "50s"\n', 1))
            stack.start()
            assert stack.proxy is not None
            process = stack.proxy.process
            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(stack.consult, stack.login(), 1)
                deaf.settimeout(10)
                asked, _ = deaf.accept()
                with asked:  # kept open: the upstream has the question and says nothing
                    asked.recv(1)
                    process.send_signal(signal.SIGTERM)
                    eventually(lambda: not accepts(stack.url))
                    assert process.poll() is None
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(5) == 0
                assert asking.exception(10) is not None or asking.result().status >= 500


def test_workers_do_not_outlive_their_parent(stack: Stack) -> None:
    """A parent that is killed can pass nothing on; they see it end, and drain."""
    workers = children(stack)
    assert stack.proxy is not None
    stack.proxy.process.kill()
    eventually(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
