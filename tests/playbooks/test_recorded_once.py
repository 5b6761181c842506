"""Every decision is put on record once, wherever a deadline strikes and whatever breaks.

The engine of a node with the reference policy, the ledger in memory, and a world that can be stopped before or after
each thing that is asked of it. Requests, tokens and answers are real.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import orjson
import pytest

from asking import CALLER_KEY, ISSUER_KEY, gate
from clock import FrozenClock
from paravent.decide import Allow, Plan, Rulebook
from paravent.drive import Engine, Ports
from paravent.effects import (
    Charge,
    Charged,
    FindKey,
    FindMeasures,
    FindRevocations,
    KeyMissing,
    Measure,
    OverBudget,
    ProofSeen,
    PublicKey,
    Replayed,
    Revocation,
    Settle,
    StoreDown,
)
from paravent.identity.assertion import Assertor
from paravent.keys.introspection import Introspection
from paravent.model import Answer, Connection, Deny, Facts, Release, Secret, Withhold
from paravent.policy.match import RouteTable
from paravent.reasons import Reason
from paravent.stores.memory import MemoryLedger
from paravent.telemetry.logs import OURS, JsonFormatter
from paravent.telemetry.metrics import Metrics
from paravent.wiring import compile_views
from policies import reference_files
from tokens import NOW_MS, ORIGIN, dpop_headers, mint, prove

PATH = "/v1/droits/consultation"
NIR = "2840599990001"
QUESTION = orjson.dumps({"immatriculation": NIR, "dateNaissance": "19840517", "rangGemellaire": 1})
DOCUMENT = {
    "beneficiaireDeSoins": {
        "nomUsuel": "ESSAI", "dateNaissance": "19840517", "rangGemellaire": 1, "noNIRCertifie": NIR
    }
}  # fmt: skip
GOOD = Answer(200, ((b"content-type", b"application/json"),), orjson.dumps(DOCUMENT))

type Stop = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """The world goes on."""


class World:
    """Keys, budgets and a sink that notes what it is handed. `stop` is awaited at the points of these numbers."""

    def __init__(self, stop: Stop = nothing, *at: int) -> None:
        self.points: list[str] = []
        self.handed: list[dict[str, object]] = []
        self.healthy = True
        self.refused: Callable[[dict[str, object]], bool] = lambda record: False
        self.ledger = MemoryLedger()
        self._at = at
        self._stop = stop

    async def reach(self, point: str) -> None:
        self.points.append(point)
        if len(self.points) in self._at:
            await self._stop()

    async def find(self, wanted: FindKey) -> PublicKey | KeyMissing:
        return ISSUER_KEY.public

    async def charge(self, charge: Charge) -> Charged | OverBudget | Replayed | StoreDown:
        await self.reach("before charge")
        told = await self.ledger.charge(charge)
        await self.reach("after charge")
        return told

    async def settle(self, settle: Settle) -> Charged | OverBudget | StoreDown:
        await self.reach("before settle")
        told = await self.ledger.settle(settle)
        await self.reach("after settle")
        return told

    async def proof_seen(self, proof: ProofSeen, now_ms: int) -> bool | StoreDown:
        await self.reach("before proof")
        told = await self.ledger.proof_seen(proof, now_ms)
        await self.reach("after proof")
        return told

    async def append(self, record: dict[str, object]) -> bool:
        """As `sinks.files`: what is no record raises; what was handed over is written, whether or not one waits."""
        if self.refused(record):
            raise ValueError("a record is too long for a line")
        self.handed.append(record)
        await self.reach("record handed over")
        return self.healthy


@pytest.fixture(scope="module")
def rules() -> Rulebook:
    policy, views = compile_views(reference_files())
    table = RouteTable(policy.operations.values())
    return Rulebook(policy, table, views, gate(), Secret(b"s" * 32), Assertor(Secret(b"a" * 32)))


class NothingRevoked:
    """`ports.Revocations`, empty."""

    def find(self, wanted: FindRevocations) -> tuple[Revocation, ...]:
        return ()


class NothingDecided:
    """`ports.Measures`, empty."""

    def find(self, wanted: FindMeasures) -> tuple[Measure, ...]:
        return ()


def ports(world: World) -> Ports:
    return Ports(FrozenClock(NOW_MS), world, Introspection({}), NothingRevoked(), NothingDecided(), world, world)


def engine(world: World, rules: Rulebook) -> Engine:
    return Engine(
        Ports(FrozenClock(NOW_MS), world, Introspection({}), NothingRevoked(), NothingDecided(), world, world),
        lambda: rules,
        Metrics(),
    )


def request() -> Facts:
    token = mint(ISSUER_KEY, jkt=CALLER_KEY.jkt)
    headers = (
        *dpop_headers(token, prove(CALLER_KEY, token, "POST", ORIGIN + PATH)),
        (b"content-type", b"application/json"),
    )
    return Facts(
        NOW_MS, "0" * 31 + "1", b"POST", PATH.encode(), headers, QUESTION, Connection("192.0.2.1", secure=True)
    )


async def plan_of(world: World, rules: Rulebook, facts: Facts) -> Plan:
    verdict = await engine(world, rules).decide(facts)
    assert isinstance(verdict, Allow)
    return verdict.plan


type Path = Callable[[Engine, Facts, Plan], Coroutine[Any, Any, object]]

PATHS: dict[str, tuple[Path, str]] = {
    "a question that is denied": (
        lambda it, facts, _: it.decide(Facts(NOW_MS, facts.request_id, b"GET", b"/nowhere", (), b"", facts.connection)),
        "operation_unknown",
    ),
    "bytes that are no question": (
        lambda it, facts, _: it.refuse(facts, Reason.REQUEST_AMBIGUOUS), "request_ambiguous",
    ),
    "an answer that is released": (lambda it, facts, plan: it.settle(facts, plan, GOOD), "None"),
    "an answer that is withheld": (
        lambda it, facts, plan: it.settle(facts, plan, Answer(500, (), b"")), "answer_status",
    ),
    "an answer that never came": (
        lambda it, facts, plan: it.abandon(facts, plan, Reason.UPSTREAM_TIMEOUT), "upstream_timeout",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "reason"), PATHS.values(), ids=PATHS.keys())
async def test_each_end_of_a_request_is_one_record(rules: Rulebook, path: Path, reason: str) -> None:
    """Whatever becomes of a request, the ledger has one line of it, with its reason."""
    facts, world = request(), World()
    plan = await plan_of(world, rules, facts)
    assert world.handed == []
    await path(engine(world, rules), facts, plan)
    assert [(it["id"], str(it["reason"])) for it in world.handed] == [(facts.request_id, reason)]


async def test_a_question_let_through_is_not_yet_a_record(rules: Rulebook) -> None:
    """Its end will be."""
    world = World()
    await plan_of(world, rules, request())
    assert world.points == ["before charge", "after charge"]
    assert world.handed == []


async def hang() -> None:
    await asyncio.Event().wait()


async def out_of_memory() -> None:
    raise MemoryError


async def interrupted() -> None:
    raise KeyboardInterrupt


STOPS: dict[str, tuple[Stop, type[BaseException]]] = {
    "the hook's deadline": (hang, TimeoutError),
    "a bug": (out_of_memory, MemoryError),
    "an interrupt": (interrupted, KeyboardInterrupt),
}
FIRST_HALF = ["before charge", "after charge"]
SECOND_HALF = ["before settle", "after settle", "record handed over"]


async def stopped(work: Coroutine[Any, Any, object], kind: type[BaseException]) -> None:
    """Run it as a hook of the guard does; it must end in this exception."""
    with pytest.raises(kind):
        async with asyncio.timeout(0.02):
            await work


@pytest.mark.parametrize(("stop", "kind"), STOPS.values(), ids=STOPS.keys())
@pytest.mark.parametrize("point", FIRST_HALF)
async def test_a_question_that_is_stopped_is_on_record_once(
    rules: Rulebook, point: str, stop: Stop, kind: type[BaseException]
) -> None:
    """Nobody was asked, nobody will be, and the ledger says why: internal_error, answered 503."""
    world = World(stop, 1 + FIRST_HALF.index(point))
    await stopped(engine(world, rules).decide(request()), kind)
    assert world.points[-2:] == [point, "record handed over"]
    (record,) = world.handed
    assert (record["decision"], record["reason"], record["status"]) == ("deny", "internal_error", 503)


@pytest.mark.parametrize(("stop", "kind"), STOPS.values(), ids=STOPS.keys())
@pytest.mark.parametrize("point", SECOND_HALF[:2])
async def test_an_answer_that_is_stopped_is_on_record_once(
    rules: Rulebook, point: str, stop: Stop, kind: type[BaseException]
) -> None:
    """The upstream was asked: who asked, about whom, and that nothing of the answer left."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    world = World(stop, 1 + SECOND_HALF.index(point))
    await stopped(engine(world, rules).settle(facts, plan, GOOD), kind)
    (record,) = world.handed
    assert (record["decision"], record["reason"], record["status"]) == ("withhold", "internal_error", 502)
    assert (record["practitioner"], record["persons"], record["released"]) == ("99700427885", [], {})
    assert record["asked"] == plan.charge.persons[0].key.hex()


@pytest.mark.parametrize(("stop", "kind"), STOPS.values(), ids=STOPS.keys())
@pytest.mark.parametrize("point", SECOND_HALF[:2])
async def test_an_end_that_is_stopped_keeps_its_reason(
    rules: Rulebook, point: str, stop: Stop, kind: type[BaseException]
) -> None:
    """Closing the books failed; why there was no answer is known all the same."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    world = World(stop, 1 + SECOND_HALF.index(point))
    await stopped(engine(world, rules).abandon(facts, plan, Reason.CLIENT_LEFT), kind)
    assert [it["reason"] for it in world.handed] == ["client_left"]


@pytest.mark.parametrize(("path", "reason"), PATHS.values(), ids=PATHS.keys())
async def test_a_deadline_during_the_record_makes_no_second_one(rules: Rulebook, path: Path, reason: str) -> None:
    """The sink has it and will write it: an answer that did not leave may be on record, never twice."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    at = 1 if reason in {"operation_unknown", "request_ambiguous"} else 3
    world = World(hang, at)
    await stopped(path(engine(world, rules), facts, plan), TimeoutError)
    assert [str(it["reason"]) for it in world.handed] == [reason]


async def test_a_second_cancellation_makes_no_second_record(rules: Rulebook) -> None:
    """The deadline struck, and while its record is written the process ends."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    world = World(hang, 1, 2)
    task = asyncio.ensure_future(engine(world, rules).settle(facts, plan, GOOD))
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.points == ["before settle", "record handed over"]
    assert [it["reason"] for it in world.handed] == ["internal_error"]


async def test_a_release_that_is_no_record_does_not_leave_and_is_on_record(rules: Rulebook) -> None:
    """A bug in what is recorded: the answer stays here, and the ledger hears that there was one."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    world = World()
    world.refused = lambda record: record["decision"] == "release"
    with pytest.raises(ValueError, match="too long"):
        await engine(world, rules).settle(facts, plan, GOOD)
    assert [(it["decision"], it["reason"], it["status"]) for it in world.handed] == [
        ("withhold", "internal_error", 502)
    ]


async def test_what_is_not_durable_is_not_given(rules: Rulebook) -> None:
    """A release that could not be made durable is withheld; it is not recorded a second time under another name."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    world = World()
    world.healthy = False
    outcome = await engine(world, rules).settle(facts, plan, GOOD)
    assert isinstance(outcome, Withhold)
    assert outcome.reason is Reason.AUDIT_UNAVAILABLE
    assert [it["decision"] for it in world.handed] == ["release"]


async def test_without_a_ledger_nothing_is_asked(rules: Rulebook) -> None:
    """The sink is known to fail: no key, no proof, no budget is touched, and the refusal itself is tried."""
    world = World()
    world.healthy = False
    verdict = await engine(world, rules).decide(request())
    assert isinstance(verdict, Deny)
    assert verdict.reason is Reason.AUDIT_UNAVAILABLE
    assert (world.points, len(world.handed)) == (["record handed over"], 1)


async def test_a_stopped_decision_is_counted(rules: Rulebook) -> None:
    """The alert on internal errors looks at this series."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    metrics = Metrics()
    world = World(out_of_memory, 1)
    broken = Engine(
        Ports(FrozenClock(NOW_MS), world, Introspection({}), NothingRevoked(), NothingDecided(), world, world),
        lambda: rules,
        metrics,
    )
    with pytest.raises(MemoryError):
        await broken.settle(facts, plan, GOOD)
    labels = {"operation": "droits.consultation", "decision": "withhold", "reason": "internal_error"}
    assert metrics.registry.get_sample_value("paravent_decisions_total", labels) == 1


async def test_a_bug_is_logged_by_class_and_place_once_a_second(
    rules: Rulebook, caplog: pytest.LogCaptureFixture
) -> None:
    """What the runbook of internal errors sends its reader to; never the exception's text, and never a flood."""
    facts = request()
    plan = await plan_of(World(), rules, facts)

    async def bug() -> None:
        raise ValueError(NIR)

    broken = engine(World(bug, 1, 3), rules)
    for _ in range(2):
        with pytest.raises(ValueError, match=NIR):
            await broken.settle(facts, plan, GOOD)
    (line,) = [JsonFormatter().format(it) for it in caplog.records if it.name == OURS]
    assert orjson.loads(line).items() >= {
        "level": "error", "event": "decision_failed", "exception": "ValueError"
    }.items()  # fmt: skip
    assert "test_recorded_once.py:" in line
    assert NIR not in line


async def test_a_released_answer_is_on_record_before_it_is_given(rules: Rulebook) -> None:
    """The order that fails closed: books, record, release."""
    facts = request()
    plan = await plan_of(World(), rules, facts)
    world = World()
    assert isinstance(await engine(world, rules).settle(facts, plan, GOOD), Release)
    assert world.points == SECOND_HALF
