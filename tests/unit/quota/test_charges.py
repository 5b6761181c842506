"""Which budgets a practitioner falls on, and what their refusals are called."""

import re
from dataclasses import replace

import pytest
from msgspec import structs

from paravent.effects import Budget, BudgetKind, OverBudget, Scope
from paravent.model import Connection, Practitioner, Secret
from paravent.quota.bill import bill_of
from paravent.quota.charges import Payers, budgets_of, reason_of
from paravent.quota.origins import network_of
from paravent.reasons import Reason
from paravent.rules import Budgets, Calendar, Prefixes, Quotas, Window

HOUR, DAY = Window(10, 3_600), Window(100, 86_400)
QUOTAS = Quotas(
    professions={"21": Budgets(persons=(HOUR, DAY), misses=(HOUR,), requests=(HOUR,)), "28": Budgets(requests=(HOUR,))},
    establishment=Budgets(persons=(DAY,)),
    client=Budgets(persons=(DAY,), requests=(HOUR,)),
    fleet=Budgets(persons=(DAY,)),
)
PHARMACIST = Practitioner("99700427885", "21", "990000012", "portail", "operateur")


def budgets(who: Practitioner, quotas: Quotas = QUOTAS) -> tuple[Budget, ...]:
    found = budgets_of(quotas, who)
    assert found is not None
    return found


def test_every_scope_that_applies_pays() -> None:
    """The practitioner first, then establishment, client and fleet, each under a stable name."""
    assert budgets(PHARMACIST) == (
        Budget(Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.PERSONS, (HOUR, DAY)),
        Budget(Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.REQUESTS, (HOUR,)),
        Budget(Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.MISSES, (HOUR,)),
        Budget(Scope.ESTABLISHMENT, "finess:990000012", BudgetKind.PERSONS, (DAY,)),
        Budget(Scope.CLIENT, "client:operateur:portail", BudgetKind.PERSONS, (DAY,)),
        Budget(Scope.CLIENT, "client:operateur:portail", BudgetKind.REQUESTS, (HOUR,)),
        Budget(Scope.FLEET, "fleet", BudgetKind.PERSONS, (DAY,)),
    )


def test_a_profession_without_budgets_may_not_ask() -> None:
    """No budget is not an unlimited budget."""
    assert budgets_of(QUOTAS, structs.replace(PHARMACIST, profession="10")) is None


def test_a_token_without_an_establishment_pays_for_none() -> None:
    """A practitioner in no establishment is bounded by the other scopes."""
    assert Scope.ESTABLISHMENT not in {budget.scope for budget in budgets(structs.replace(PHARMACIST, finess=None))}


def test_the_practitioners_persons_are_kept_without_a_limit_too() -> None:
    """Wider scopes count persons new to the practitioner, so the set exists even where the policy gives no window."""
    assert budgets(structs.replace(PHARMACIST, profession="28"))[0] == Budget(
        Scope.PRACTITIONER, "rpps:99700427885", BudgetKind.PERSONS, ()
    )


LIMITED = replace(QUOTAS, certificate=Budgets(persons=(DAY,)), network=Budgets(persons=(DAY,), misses=(HOUR,)))
KEY = Secret(b"p" * 32)
FRONT, CALLER = b"f" * 32, b"c" * 32


def origins(
    connection: Connection, quotas: Quotas = LIMITED, key: Secret[bytes] | None = KEY
) -> list[tuple[Scope, str]]:
    found = Payers(key).budgets_of(quotas, PHARMACIST, connection)
    assert found is not None
    return [(each.scope, each.payer) for each in found if each.scope in {Scope.CERTIFICATE, Scope.NETWORK}]


def connected(ip: str | None, certificate: bytes | None = None, front: bytes | None = None) -> Connection:
    return Connection("127.0.0.1", True, certificate, source_ip=ip, front_sha256=front)


def test_a_certificate_and_a_network_pay_where_a_policy_limits_them() -> None:
    """Each kind of the network, once the certificate, before the fleet; and nothing of what is not limited."""
    found = Payers(KEY).budgets_of(LIMITED, PHARMACIST, connected("192.0.2.7", CALLER))
    assert found is not None
    assert [(each.scope, each.kind) for each in found[-4:]] == [
        (Scope.CERTIFICATE, BudgetKind.PERSONS),
        (Scope.NETWORK, BudgetKind.PERSONS),
        (Scope.NETWORK, BudgetKind.MISSES),
        (Scope.FLEET, BudgetKind.PERSONS),
    ]
    assert origins(connected("192.0.2.7", CALLER), QUOTAS, None) == []


@pytest.mark.parametrize(
    ("address", "prefixes", "network"),
    [
        pytest.param("192.0.2.7", Prefixes(), "192.0.2.0/24", id="24 bits of IPv4"),
        pytest.param("192.0.2.200", Prefixes(ipv4=25), "192.0.2.128/25", id="as many as the policy says"),
        pytest.param("192.0.2.7", Prefixes(ipv4=32), "192.0.2.7/32", id="one address"),
        pytest.param("::ffff:192.0.2.7", Prefixes(), "192.0.2.0/24", id="IPv4 in the spelling of IPv6"),
        pytest.param("2001:db8:5:6::7", Prefixes(), "2001:db8:5::/48", id="48 bits of IPv6"),
        pytest.param("2001:db8:5:6::7", Prefixes(ipv6=64), "2001:db8:5:6::/64", id="64, as the policy says"),
    ],
)
def test_a_network_is_the_first_bits_of_an_address(address: str, prefixes: Prefixes, network: str) -> None:
    """Whatever spelling the address has."""
    assert network_of(address, prefixes) == network


def test_neighbours_share_a_budget_and_others_do_not() -> None:
    """By network, whatever the practitioner."""
    one, near, far = (origins(connected(ip)) for ip in ("192.0.2.7", "192.0.2.250", "192.0.3.7"))
    assert one == near
    assert one != far


def test_a_front_proxy_pays_with_its_own_certificate_whomever_it_speaks_for() -> None:
    """Else whoever has stolen its key would take a fresh budget with each certificate that they pass on."""
    alone, speaking = origins(connected(None, None, FRONT)), origins(connected(None, CALLER, FRONT))
    assert alone == speaking
    assert origins(connected(None, CALLER)) != alone


def test_what_is_not_known_pays_nothing() -> None:
    """No certificate, and a front proxy that introduces nobody."""
    assert origins(connected(None)) == []


def test_payers_show_neither_address_nor_certificate() -> None:
    """Keyed hashes, other ones under another key, of another length of the network, and of each kind."""
    shown = [payer for _, payer in origins(connected("192.0.2.7", CALLER))]
    assert all(re.fullmatch(r"(certificate|network):[0-9a-f]{32}", payer) for payer in shown)
    others = origins(connected("192.0.2.7", CALLER), key=Secret(b"q" * 32))
    longer = origins(connected("192.0.2.7"), replace(LIMITED, prefixes=Prefixes(ipv4=25)))
    assert len({payer.partition(":")[2] for payer in [*shown, *(payer for _, payer in [*others, *longer])]}) == 5


def test_without_a_key_nothing_is_charged_in_clear() -> None:
    """A bug, which closes."""
    with pytest.raises(ValueError, match="keyed hashes"):
        Payers().budgets_of(LIMITED, PHARMACIST, connected("192.0.2.7"))


def test_budgets_that_come_again_are_the_same_object() -> None:
    """By practitioner and origin; a grant raises those of each origin apart."""
    payers = Payers(KEY)
    here, again, there = (
        payers.budgets_of(LIMITED, PHARMACIST, connected(ip)) for ip in ("192.0.2.7", "192.0.2.8", "192.0.3.7")
    )
    assert here is again
    assert here is not None
    assert there is not None
    assert payers.raised_of(here, 5) is payers.raised_of(here, 5)
    assert payers.raised_of(here, 5)[-1] == here[-1]
    assert payers.raised_of(there, 5)[-2] == there[-2] != here[-2]


def test_payers_do_not_depend_on_the_limits() -> None:
    """Another revision of the policy finds the same payers, and with them their usage."""
    other = replace(QUOTAS, professions={"21": Budgets(persons=(DAY,))}, client=Budgets(persons=(HOUR,)))
    assert {budget.payer for budget in budgets(PHARMACIST, other)} == {budget.payer for budget in budgets(PHARMACIST)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b"), ("b", "a"), id="issuer and client swapped"),
        pytest.param(("a:b", "c"), ("a", "b:c"), id="a colon moved from the issuer to the client"),
        pytest.param(("a%3Ab", "c"), ("a:b", "c"), id="an issuer that spells an escaped colon"),
    ],
)
def test_two_clients_never_share_a_budget(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Whatever names issuers and clients have, two of them are two payers."""
    payers = {
        budget.payer
        for issuer, client in (one, other)
        for budget in budgets(structs.replace(PHARMACIST, issuer=issuer, client=client))
        if budget.scope is Scope.CLIENT
    }
    assert len(payers) == 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (BudgetKind.PERSONS, Reason.PERSONS_OVER_BUDGET),
        (BudgetKind.REQUESTS, Reason.REQUESTS_OVER_BUDGET),
        (BudgetKind.MISSES, Reason.MISSES_OVER_BUDGET),
        (BudgetKind.UNITS, Reason.UNITS_OVER_BUDGET),
    ],
)
@pytest.mark.parametrize("scope", list(Scope))
def test_a_refusal_is_called_after_its_kind_in_every_scope(scope: Scope, kind: BudgetKind, reason: Reason) -> None:
    """The caller learns what is spent, not whose."""
    assert reason_of(OverBudget(scope, kind, HOUR, 1)) is reason


def test_a_bill_leaves_no_budget_out() -> None:
    """Every window of every budget is looked up exactly once, as a set or as a counter."""
    bill = bill_of(budgets(PHARMACIST))
    listed = [
        (budget, window) for _, budget, window in (*bill.set_windows, *bill.person_counters, *bill.event_counters)
    ]
    assert sorted(listed, key=repr) == sorted(
        ((budget, window) for budget in budgets(PHARMACIST) for window in budget.windows), key=repr
    )
    assert bill.sets == ("rpps:99700427885", "finess:990000012")
    assert bill.own == "rpps:99700427885"
    assert bill.misses == (("rpps:99700427885", "misses", 3_600),)
    assert bill.longest_s == 86_400


@pytest.mark.parametrize(
    ("persons", "shortest_ms"),
    [((HOUR, DAY), 3_600_000), ((DAY,), 86_400_000), ((DAY, Window.over(9, Calendar.DAY)), 0), ((), 0)],
    ids=["of two the shorter", "whatever misses are counted in", "none where a day of the calendar counts", "none"],
)
def test_a_bill_knows_its_shortest_window_of_persons(persons: tuple[Window, ...], shortest_ms: int) -> None:
    quotas = Quotas(professions={"21": Budgets(persons=persons, misses=(Window(1, 60),))})
    assert bill_of(budgets(PHARMACIST, quotas)).shortest_ms == shortest_ms
