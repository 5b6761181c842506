"""How strongly and how recently somebody logged in, against what an operation asks.

Evidence is what the token shows; what it does not show is denied. The words of the answer are RFC 9470: which `acr`
values would do, and how old a login may be.
"""

from paravent.identity.claims import Claims
from paravent.reasons import Reason
from paravent.rules import Assurance, Level, Methods
from paravent.values import Value


class Requirement(Value, frozen=True):
    """What an operation asks of a login."""

    level: str
    """Name of a level of the policy: that one or one listed before it."""
    max_auth_age_s: int
    """Seconds since the last active login, at most."""


class Strength(Value, frozen=True):
    """What a token has shown."""

    level: str
    auth_age_s: int


def judge(claims: Claims, assurance: Assurance, requirement: Requirement, now_s: int) -> Strength | Reason:
    """Strong enough and recent enough, or which of the two is not; strength first, since a fresh weak login would not
    help.

    ValueError when the policy has no level of the required name: policies are checked for that when they are loaded.
    """
    shown = _shown(claims, assurance, requirement.level)
    if shown is None:
        return Reason.ASSURANCE_TOO_LOW
    if claims.auth_time_s is None:
        return Reason.AUTHENTICATION_TOO_OLD
    # A login can be a few seconds ahead of our clock (`claims` bounds it); it is then of this moment.
    age_s = max(0, now_s - claims.auth_time_s)
    if age_s > requirement.max_auth_age_s:
        return Reason.AUTHENTICATION_TOO_OLD
    return Strength(shown.name, age_s)


def _shown(claims: Claims, assurance: Assurance, required: str) -> Level | None:
    """The strongest level that a token meets, if it is the required one or stronger."""
    shown = None
    for level in assurance.levels:
        if shown is None and _meets(claims, level):
            shown = level
        if level.name == required:
            return shown
    raise ValueError("the levels of the policy list none of the required name")


def sufficient_acr(assurance: Assurance, requirement: Requirement) -> tuple[str, ...]:
    """The `acr` values that can meet the requirement, "in order of preference" (RFC 9470 section 3): what is required
    first, stronger ones after it, so that nobody is asked for more than is needed."""
    levels = assurance.levels[: _rank(assurance, requirement.level) + 1]
    strongest = {acr: rank for rank, level in reversed(list(enumerate(levels))) for acr in level.acr}
    return tuple(sorted(strongest, key=lambda acr: (-strongest[acr], acr)))


def _rank(assurance: Assurance, name: str) -> int:
    """0 is the strongest."""
    return [level.name for level in assurance.levels].index(name)


def _meets(claims: Claims, level: Level) -> bool:
    """All conditions of the level, by set logic on whole values.

    A token must say by which methods its holder logged in, even for a level that asks nothing of them: without it, one
    that the policy excludes elsewhere could go unsaid. `amr` says it, or `authMode` where the level asks for that.
    """
    if claims.acr is None or claims.acr not in level.acr:
        return False
    if (level.amr or not level.auth_mode) and (claims.amr is None or not _hold(claims.amr, level.amr)):
        return False
    return not level.auth_mode or (claims.auth_mode is not None and _hold(claims.auth_mode, level.auth_mode))


def _hold(methods: frozenset[str], conditions: Methods) -> bool:
    any_of_them = not conditions.any or not conditions.any.isdisjoint(methods)
    return conditions.all <= methods and any_of_them and conditions.none.isdisjoint(methods)
