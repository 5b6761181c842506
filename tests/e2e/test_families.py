"""Families through a whole node: everybody whom an answer names is charged, by every payer, or nobody leaves.

The question names a card and no person; the answer has its holder, a family, and whoever else stands in a contract. The
budget of its pharmacists is five persons an hour.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from node import TLS, RunningNode, parse, running_node
from pages import policy_with
from wire import http_answer, raw_upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OPERATION: Final = """
cartes.famille:
  match: {method: GET, path: "/v1/cartes/99990001/{numeroAdherent}/famille"}
  require: {level: substantiel, max_auth_age: 4h}
  parameters: {numeroAdherent: member-number}
  response:
    format: json
    persons: [/titulaire, "/famille[]", "/contratsAMC[]/beneficiaires[]"]
    identified_by: {nir: noNIRCertifie, birth_date: dateNaissance, birth_rank: rangGemellaire}
    scope: listed
    max_persons: 4
"""
VIEW: Final = """
cartes.famille:
  dispensation:
    /titulaire/nomUsuel: keep
    /famille[]/nomUsuel: keep
    "/contratsAMC[]/beneficiaires[]/nomUsuel": keep
"""
FIVE: Final = "quotas: {pharmacien: {persons: [{limit: 5, per: 1h}]}}"


def number(serial: int) -> str:
    return f"2840599990{serial:03}"


def person(serial: int) -> dict[str, object]:
    name = f"ESSAI-{'ABCDEFGHIJ'[serial]}"
    return {"noNIRCertifie": number(serial), "dateNaissance": "19840517", "rangGemellaire": 1, "nomUsuel": name}


FAMILIES: Final[Mapping[int, tuple[Sequence[int], Sequence[int]]]] = {
    0: ((1,), (0, 2)),  # three persons: a family of one, and a contract that names the holder again and one more
    3: ((4, 5), ()),
    6: ((), (6, 6)),
    7: ((8, 9, 1, 2), ()),
}
"""Whose card → who else is on it: in the family, and in the contract."""


def path(serial: int) -> str:
    return f"/v1/cartes/99990001/00{serial}/famille"


def card(_asked: int, request: bytes) -> bytes:
    """What the API says of the card that a question names."""
    asked = next(each for each in FAMILIES if path(each).encode() in request)
    family, contract = FAMILIES[asked]
    document = {
        "titulaire": person(asked),
        "famille": [person(each) for each in family],
        "contratsAMC": [{"beneficiaires": [person(each) for each in contract]}],
    }
    return http_answer(json.dumps(document).encode())


@asynccontextmanager
async def household(folder: Path, quotas: str = FIVE, **how: Any) -> "AsyncIterator[RunningNode]":
    pieces = {"operations/familles.yaml": OPERATION, "views/pharmacien.yaml": VIEW, "quotas.yaml": quotas}
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(raw_upstream(card))
        yield await stack.enter_async_context(
            running_node(folder, upstream.port, policies=policy_with(pieces.items()), **how)
        )


async def told(node: RunningNode, serial: int, **how: Any) -> tuple[int, set[str], str]:
    """The status, whose names left, and what is left of the budget."""
    tls = node.sandbox.tls() if how.pop("tls", False) else None
    status, headers, body = parse(await node.send(node.request(method="GET", path=path(serial), **how), tls=tls))
    if status != 200:
        assert b"ESSAI" not in body
    names = {name for name in "ABCDEFGHIJ" if f'"ESSAI-{name}"'.encode() in body}
    return status, names, headers.get(b"ratelimit", b"").decode()


async def test_a_family_counts_member_by_member(tmp_path: Path) -> None:
    """Who stands twice on a record is one person, and one who is known already is none."""
    async with household(tmp_path) as node:
        # Nobody is named by the question, so that the headers say what was left before the answer.
        assert await told(node, 0) == (200, {"A", "B", "C"}, '"persons-1h";r=5')
        assert await told(node, 6) == (200, {"G"}, '"persons-1h";r=2')
        assert await told(node, 0) == (200, {"A", "B", "C"}, '"persons-1h";r=1')
        persons = [record["persons"] for record in node.records() if "decision" in record]
        assert [len(some) for some in persons] == [3, 1, 3]  # type: ignore[arg-type]


async def test_a_family_that_does_not_fit_is_withheld_whole(tmp_path: Path) -> None:
    """Three are known and two places are left: of another three none leaves, and the two places are still there."""
    async with household(tmp_path) as node:
        assert (await told(node, 0))[0] == 200
        assert await told(node, 3) == (429, set(), "")
        assert await told(node, 6) == (200, {"G"}, '"persons-1h";r=2')
        assert await told(node, 3) == (429, set(), "")
        assert await told(node, 0) == (200, {"A", "B", "C"}, '"persons-1h";r=1')
        reasons = [record.get("reason") for record in node.records() if "decision" in record]
        assert reasons == [None, "persons_over_budget", None, "persons_over_budget", None]
        assert node.metric("paravent_over_budget_total", scope="practitioner", kind="persons") == 2


async def test_a_family_larger_than_an_answer_may_be_is_withheld(tmp_path: Path) -> None:
    """Five, where the operation allows four: nobody leaves, nobody is charged."""
    async with household(tmp_path) as node:
        assert (await told(node, 7))[0] == 403
        assert await told(node, 6) == (200, {"G"}, '"persons-1h";r=5')


@pytest.mark.parametrize("scope", ["establishment", "client", "network", "fleet"])
async def test_every_payer_counts_the_whole_family(tmp_path: Path, scope: str) -> None:
    """A budget of five of a wider scope: a colleague's family of three after the first one's does not fit, and one
    person does. Whoever has been disclosed to both counts once for the place, and as two pairs for the others."""
    quotas = f"quotas: {{{scope}: {{persons: [{{limit: 5, per: 1h}}]}}}}"
    async with household(tmp_path, quotas, listen=TLS) as node:
        colleague = {"rpps": "99700427893", "tls": True}
        assert (await told(node, 0, tls=True))[0] == 200
        assert await told(node, 3, **colleague) == (429, set(), "")
        assert (await told(node, 6, **colleague))[1] == {"G"}
        assert (await told(node, 0, **colleague))[0] == (200 if scope == "establishment" else 429)


async def test_a_family_counts_on_the_day_of_the_calendar(tmp_path: Path) -> None:
    """Withheld whole there too; the wait ends at the next midnight in Paris."""
    async with household(tmp_path, "quotas: {pharmacien: {persons: [{limit: 4, per: calendar-day}]}}") as node:
        assert await told(node, 0) == (200, {"A", "B", "C"}, '"persons-calendar-day";r=4')
        status, headers, body = await node.ask(method="GET", path=path(3))
        assert (status, b"ESSAI" in body) == (429, False)
        assert 1 <= int(headers[b"retry-after"]) <= 25 * 3_600
