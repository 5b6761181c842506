"""How many persons a theft can expose under a policy, before anybody looks at an alert.

For whoever has stolen an account, or speaks for every account of an establishment, of a software, behind a certificate,
in a network, or for everybody:

    persons in T  ≤  limit × ⌈T / W⌉        for each window of W seconds that they pay

T is cut into ⌈T / W⌉ parts none of which is longer than W, and no part holds more persons than the limit. Where several
windows apply the smallest bound holds. It is reached: a bot that spends its whole budget as soon as it has one.

Calendar windows have edges. T touches one day more than it is long, two more where one of them has 23 hours; in each of
them there is a whole limit.

What a fresh login adds (`step_up`) is part of every limit: the session that is stolen may be a fresh one. Whatever the
policy lets be added to an account's limits by decision (`quota.measures`) is added for a second bound, as if it always
were: a grant can be followed by another.

A broken glass (`break_glass`) needs nobody's decision, and the words are the thief's to write. It adds its persons to
the parts of T that it touches: as many as fit into its time, and one more, as often as it may be broken.

What nodes let through while the state store does not answer (`quota.emergency`) comes on top of all that, as often as
its window begins in T: for one account on as many nodes as the policy leaves room for, for everybody its total.

A stolen account is also bound by its requests, each of which discloses as many persons as the widest answer lists, and
by its units, which go furthest with the operation that lists most persons for its weight. It is not bound by an
establishment, a software, a certificate or a network: one practitioner can log in through several.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from paravent.effects import Scope
from paravent.quota.measures import more, most_extra
from paravent.rules import BreakGlass, Budgets, Policy, Window

PERIODS_S: Final = (3_600, 86_400, 30 * 86_400)
"""One hour (a bot at night), one day (until somebody looks), thirty days (below every alert)."""


@dataclass(frozen=True, slots=True)
class Radius:
    """One theft."""

    scope: Scope
    profession: str | None
    """TRE_G15 code, of a stolen account."""
    period_s: int
    persons: int | None
    """The most distinct persons in that time. None: no budget bounds it."""
    raised: bool = False
    """Of a stolen account: with everything that the policy lets be added to its limits."""


def blast_radius(policy: Policy) -> tuple[Radius, ...]:
    """Every theft, over every period: accounts by profession code first, then wider scopes."""
    return tuple(_radii(policy))


def _radii(policy: Policy) -> Iterator[Radius]:
    quotas = policy.quotas
    fleet = quotas.fleet.persons
    for code in sorted(quotas.professions):
        own = quotas.professions[code]
        answers = _answers(policy, code)
        extra = most_extra(quotas)
        usual = more(own.persons, 0 if quotas.step_up is None else quotas.step_up.extra_persons)
        for raised, windows in ((False, usual), (True, more(usual, extra)))[: 2 if extra else 1]:
            for period_s in PERIODS_S:
                own_bound = _least([_of_account(window, quotas.break_glass, period_s) for window in windows])
                bounds = [own_bound, *_by_questions(own, answers, period_s), _bound(fleet, period_s)]
                alone = _alone(policy, Scope.PRACTITIONER, period_s)
                yield Radius(Scope.PRACTITIONER, code, period_s, _plus(_least(bounds), alone), raised)
    wider = (
        (Scope.ESTABLISHMENT, quotas.establishment.persons),
        (Scope.CLIENT, quotas.client.persons),
        (Scope.CERTIFICATE, quotas.certificate.persons),
        (Scope.NETWORK, quotas.network.persons),
        (Scope.FLEET, fleet),
    )
    for scope, windows in wider:
        for period_s in PERIODS_S:
            least = _least([_bound(windows, period_s), _bound(fleet, period_s)])
            yield Radius(scope, None, period_s, _plus(least, _alone(policy, scope, period_s)))


def _of_account(window: Window, glass: BreakGlass | None, period_s: int) -> int:
    """Of one window of an account's own."""
    times = _times(window, period_s)
    if glass is None:
        return window.limit * times
    broken = -(-(period_s + glass.lasts_s) // glass.once_per_s)  # also one that began before
    touched = min(times, broken * (_times(window, glass.lasts_s) + 1))
    return window.limit * times + glass.extra_persons * touched


def _alone(policy: Policy, scope: Scope, period_s: int) -> int:
    """Persons let through without the state store."""
    emergency = policy.quotas.emergency
    if emergency is None:
        return 0
    at_once = emergency.practitioner * emergency.nodes if scope is Scope.PRACTITIONER else emergency.total
    return min(at_once, emergency.total) * -(-period_s // emergency.per_s)


def _plus(bound: int | None, more: int) -> int | None:
    return None if bound is None else bound + more


def _bound(windows: Iterable[Window], period_s: int) -> int | None:
    return _least([window.limit * _times(window, period_s) for window in windows])


def _times(window: Window, period_s: int) -> int:
    """How often a window's limit can be spent in a period: of a calendar, in each day that the period touches."""
    if window.calendar is None:
        return -(-period_s // window.per_s)
    inside = 0
    while window.calendar.shortest_s(inside + 1) < period_s:
        inside += 1
    return inside + 2  # for some of the period is left over on both sides


def _by_questions(own: Budgets, answers: Iterable[tuple[int, int]], period_s: int) -> Iterator[int | None]:
    """By requests, and by units: no mix of operations lists more than the best of them alone."""
    for windows, weighted in ((own.requests, False), (own.units, True)):
        most = _bound(windows, period_s)
        each = [most * persons // (weight if weighted else 1) for persons, weight in answers] if most else []
        yield None if most is None else max(each, default=0)


def _answers(policy: Policy, profession: str) -> tuple[tuple[int, int], ...]:
    """Of each operation that somebody of this profession may ask: the most persons that an answer lists, its weight."""
    asked = (policy.operations[view.operation] for view in policy.views if view.profession == profession)
    return tuple((each.response.max_persons if each.response.scope == "listed" else 1, each.weight) for each in asked)


def _least(bounds: Iterable[int | None]) -> int | None:
    return min([bound for bound in bounds if bound is not None], default=None)
