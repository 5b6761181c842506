"""Grants, suspensions and a broken glass hold on every node within a second: three nodes on one real Redis, timed."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

import pytest

from nodes import edited, running_nodes
from paravent.simulate.logins import Login
from redis_server import running_redis
from stack import CONSULTATION, Reply, Stack, population, running_stack

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("measures_everywhere")]

NODES = 3
WITHIN_S = 1.0
"""What a measure may take, as the pages promise it."""
GIVE_UP_S = 10.0
PACE_S = 0.02
LIMIT, EXTRA, GLASS = 6, 5, 4
ASKED_AT_ONCE = 18
SAID = ("--author", "J. Essai", "--reason", "ticket 4711")

QUOTAS = {
    r"\{limit: 60, per: 10m\}": f"{{limit: {LIMIT}, per: 10m}}",
    r"\{limit: 20, per: 10s\}": "{limit: 1000, per: 10s}",
    r"\nquotas:": f"\nbreak_glass: {{extra_persons: {GLASS}, lasts: 1h, once_per: 7d}}\nquotas:",
}


class Site:
    """The nodes, and pharmacists whom nobody knows yet."""

    def __init__(self, nodes: tuple[Stack, ...]) -> None:
        self.nodes = nodes
        self._serials, self._persons = count(), count(1)

    def pharmacist(self) -> Login:
        return self.nodes[0].login(serial=next(self._serials))

    def ask_about_somebody_new(self, who: Login, number: int, headers: tuple[tuple[str, str], ...] = ()) -> list[Reply]:
        """So many persons, over all nodes at once."""

        def ask(each: tuple[int, int]) -> Reply:
            place, person = each
            return self.ask(self.nodes[place % NODES], who, person, headers)

        with ThreadPoolExecutor(NODES) as pool:
            return list(pool.map(ask, enumerate([next(self._persons) for _ in range(number)])))

    def ask(self, node: Stack, who: Login, person: int, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
        one = population().person(person)
        body = {"immatriculation": one.nir, "dateNaissance": one.birth_date, "rangGemellaire": one.birth_rank}
        return node.call("POST", CONSULTATION, who, body, headers)

    def known_after_s(self, since_s: float, holds: Callable[[Stack], bool]) -> float:
        """How long after `since_s` the last question was put of which it did not hold yet, on any node."""

        def watch(node: Stack) -> float:
            last_s = since_s
            while (asked_s := time.monotonic()) < since_s + GIVE_UP_S:
                if holds(node):
                    return last_s - since_s
                last_s = asked_s
                time.sleep(PACE_S)
            return GIVE_UP_S

        with ThreadPoolExecutor(NODES) as pool:
            return max(pool.map(watch, self.nodes))

    def command(self, *words: str) -> float:
        """On the first node's machine. When it was done."""
        command = [sys.executable, "-m", "paravent.cli", *words, "--config", str(self.nodes[0].config)]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        return time.monotonic()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("everywhere")
    with ExitStack() as parts:
        redis = parts.enter_context(running_redis(folder / "redis"))
        stack = parts.enter_context(running_stack(folder, start=False))
        edited(stack, {"sqlite:state.db": f"redis://127.0.0.1:{redis.port}/0"})
        quotas = stack.policies / "quotas.yaml"
        text = quotas.read_text()
        for old, new in QUOTAS.items():
            text, found = re.subn(old, new, text)
            assert found
        quotas.write_text(text)
        yield Site(running_nodes(stack, NODES, parts))


def rpps_of(who: Login) -> str:
    import jwt

    claims = jwt.decode(who.token.reveal(), options={"verify_signature": False})
    return str(claims["sub"])[1:]


def passed(replies: list[Reply]) -> int:
    assert {reply.status for reply in replies} <= {200, 429}
    return sum(reply.status == 200 for reply in replies)


def test_a_grant_gives_exactly_its_persons_over_all_nodes(site: Site) -> None:
    """Asked on three nodes at once: the limit passes, then the grant's persons, and not one more."""
    who = site.pharmacist()
    assert passed(site.ask_about_somebody_new(who, ASKED_AT_ONCE)) == LIMIT
    granted_s = site.command("grant", rpps_of(who), "--persons", str(EXTRA), "--for", "1h", *SAID)
    taken_s = site.known_after_s(granted_s, lambda node: 'kind="grant"} 1.0' in node.metrics())
    assert passed(site.ask_about_somebody_new(who, ASKED_AT_ONCE)) == EXTRA
    print(f"grant: known everywhere {taken_s:.3f} s after the command")
    assert taken_s <= WITHIN_S


def test_a_suspension_holds_on_every_node_and_so_does_its_end(site: Site) -> None:
    """Whatever node they go to; and nobody else is touched."""
    who, other = site.pharmacist(), site.pharmacist()
    assert passed(site.ask_about_somebody_new(who, NODES)) == NODES
    refused = lambda node: site.ask(node, who, 1000).problem == "suspended"  # noqa: E731
    suspended_s = site.command("practitioner", "suspend", rpps_of(who), "--for", "1h", *SAID)
    taken_s = site.known_after_s(suspended_s, refused)
    assert passed(site.ask_about_somebody_new(other, NODES)) == NODES
    released_s = site.command("practitioner", "release", rpps_of(who), *SAID)
    back_s = site.known_after_s(released_s, lambda node: not refused(node))
    print(f"suspension: known everywhere {taken_s:.3f} s after the command, its end {back_s:.3f} s")
    assert max(taken_s, back_s) <= WITHIN_S


def test_of_three_nodes_one_breaks_the_glass(site: Site) -> None:
    """Asked at once with the same words: one measure is written, and over all nodes it gives what the policy says."""
    who = site.pharmacist()
    assert passed(site.ask_about_somebody_new(who, ASKED_AT_ONCE)) == LIMIT
    words = (("Paravent-Justification", "Campagne de vaccination au gymnase"),)
    first = passed(site.ask_about_somebody_new(who, NODES, words))
    assert 1 <= first <= NODES
    site.known_after_s(time.monotonic(), lambda node: 'kind="break_glass"} 1.0' in node.metrics())
    assert first + passed(site.ask_about_somebody_new(who, ASKED_AT_ONCE, words)) == GLASS
    written = [
        re.findall(r'paravent_measures_enacted_total\{kind="break_glass"\} (\S+)', n.metrics()) for n in site.nodes
    ]
    assert sum(float(each) for found in written for each in found) == 1
