"""What the files of a policy say about one another: every cross-check, none of them a matter of taste.

Each check yields a problem where a rule could not hold, would hold for nobody, or would mean something else than it
seems to. The checks of operations are in `lint_operations`, those of views in `lint_views`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from paravent.policy.files import Read, Sources
from paravent.policy.hints import did_you_mean
from paravent.policy.lint_operations import Placed, check_operations
from paravent.policy.lint_thresholds import check_thresholds
from paravent.policy.lint_views import CheckRule, PlacedView, check_views
from paravent.policy.paths import duration_text
from paravent.policy.schema import (
    MAX_LIMIT,
    WIDER_SCOPES,
    AssuranceFile,
    BudgetsText,
    EmergencyText,
    LevelText,
    MethodsText,
    QuotasFile,
    VocabularyFile,
    WindowText,
)
from paravent.policy.source import Document, Where
from paravent.problems import Problem
from paravent.rules import Calendar

__all__ = ["CheckRule", "Placed", "PlacedView", "check"]

MAX_WINDOW_S = 30 * 86400
"""The state store forgets what is older."""

MAX_EMERGENCY_S: Final = 3600
"""An hour: a failover takes seconds, and whoever mends a Redis by hand is there by then."""


def check(
    sources: Sources, operations: Sequence[Placed], views: Sequence[PlacedView], check_rule: CheckRule
) -> Iterator[Problem]:
    """Every problem between files. What a broken file would have said is not held against the others."""
    if sources.vocabulary:
        yield from _vocabulary(sources.vocabulary)
    if sources.assurance:
        yield from _assurance(sources.assurance)
    if sources.quotas:
        yield from _quotas(sources.quotas, sources.vocabulary)
        yield from _weights(sources.quotas, sources.vocabulary, operations, views)
    levels = sources.assurance.file.levels.keys() if sources.assurance else None
    yield from check_operations(operations, levels)
    yield from _professions(sources)
    if sources.quotas:
        yield from check_thresholds(sources.quotas, operations)
    purposes = sources.vocabulary.file.purposes.keys() if sources.vocabulary else None
    yield from check_views(views, operations, purposes, check_rule, all_operations=sources.all_operations)


# ---- vocabulary


def _vocabulary(read: Read[VocabularyFile]) -> Iterator[Problem]:
    codes: dict[str, str] = {}
    purposes = read.file.purposes.keys()
    for word, profession in read.file.professions.items():
        where: Where = ("professions", word)
        if word in WIDER_SCOPES:
            yield read.document.at_key(where, f"{word!r} cannot be a profession: quotas.yaml gives it another meaning")
        if codes.setdefault(profession.code, word) != word:
            other = codes[profession.code]
            yield read.document.at_value((*where, "code"), f"code {profession.code!r} is already that of {other!r}")
        if profession.default_purpose not in purposes:
            message = f"unknown purpose {profession.default_purpose!r}"
            hint = did_you_mean(profession.default_purpose, purposes)
            yield read.document.at_value((*where, "default_purpose"), message, hint)


# ---- assurance


def _assurance(read: Read[AssuranceFile]) -> Iterator[Problem]:
    """A requirement is met by its level or by one listed before it: each must be at least as strong as the next."""
    levels = list(read.file.levels.items())
    for (name, level), (next_name, next_level) in pairwise(levels):
        if not _at_least(level, next_level):
            message = f"level {name!r} accepts tokens that {next_name!r}, listed after it, would refuse"
            yield read.document.at_key(("levels", name), message, "list the levels strongest first")
    for name, level in levels:
        if not _is_multi_factor(level):
            message = f"level {name!r} accepts a login with one factor"
            yield read.document.at_key(("levels", name), message, "ask for amr: {all: [mfa]}")
        for key, methods in (("amr", level.amr), ("auth_mode", level.auth_mode)):
            for word in sorted(set(methods.none) & {*methods.all, *methods.any}):
                yield read.document.at_key(("levels", name, key), f"{key} cannot both hold and not hold {word!r}")
    if read.file.dpop_nonces == "required" and "dpop" not in read.file.bindings:
        message = "dpop_nonces has no effect: bindings does not accept dpop"
        yield read.document.at_key(("dpop_nonces",), message, "bindings: [dpop]")


_SUBSTANTIAL: Final = frozenset({"eidas2", "eidas3"})
"""Levels that need two factors by definition (Implementing Regulation (EU) 2015/1502, annex, section 2.2.1)."""
_ONE_FACTOR: Final = frozenset({"pwd", "pin", "kba", "otp", "sms", "tel", "email", "user", "geo", "rba", "wia"})
"""Of the methods of RFC 8176 section 2 those that are one factor, or none. email: CNIL, délibération 2025-019."""


def _is_multi_factor(level: LevelText) -> bool:
    """Whether no token with a single factor satisfies a level, as far as its words tell."""
    if set(level.acr) <= _SUBSTANTIAL or len(set(level.amr.all)) > 1:
        return True
    # One word for all, or any one word of several, is all that a token may have to show.
    sets = (level.amr.all, level.amr.any, level.auth_mode.all, level.auth_mode.any)
    return any(not {word.lower() for word in words} & _ONE_FACTOR for words in sets if words)


def _at_least(strong: LevelText, weak: LevelText) -> bool:
    """Whether every token that satisfies `strong` satisfies `weak`, where the two ask for the same kind of evidence.

    By `authMode` an issuer says what others say by `amr`: which of the two is stronger is the policy's word to have.
    """
    if _by_mode(strong) is not _by_mode(weak):
        return True
    sides = ((strong.amr, weak.amr), (strong.auth_mode, weak.auth_mode))
    return set(strong.acr) <= set(weak.acr) and all(_implies(*each) for each in sides)


def _by_mode(level: LevelText) -> bool:
    return level.amr == MethodsText() != level.auth_mode


def _implies(strong: MethodsText, weak: MethodsText) -> bool:
    """Whether every set of methods that satisfies `strong` satisfies `weak`."""
    some = set(weak.any)
    meets_any = not some or some & set(strong.all) or (strong.any and set(strong.any) <= some)
    return set(weak.all) <= set(strong.all) and set(weak.none) <= set(strong.none) and bool(meets_any)


# ---- quotas


def _quotas(read: Read[QuotasFile], vocabulary: Read[VocabularyFile] | None) -> Iterator[Problem]:
    for payer, budgets in read.file.quotas.items():
        where: Where = ("quotas", payer)
        if payer not in WIDER_SCOPES:
            if vocabulary and payer not in vocabulary.file.professions:
                hint = did_you_mean(payer, (*vocabulary.file.professions, *WIDER_SCOPES))
                yield read.document.at_key(where, f"unknown profession {payer!r}", hint)
            yield from _complete(read.document, where, budgets)
        for kind in ("persons", "misses", "requests", "units"):
            yield from _windows(read.document, (*where, kind), getattr(budgets, kind))
    if "prefixes" in read.file.model_fields_set and "network" not in read.file.quotas:
        message = "prefixes has no effect: there are no budgets of network"
        yield read.document.at_key(("prefixes",), message, "add network to quotas")
    if read.file.grants is not None and read.file.grants.longest > MAX_WINDOW_S:
        message = f"a grant may be at most {duration_text(MAX_WINDOW_S)} long"
        yield read.document.at_value(("grants", "longest"), message, "what lasts longer is a limit: raise that")
    if read.file.emergency is not None:
        yield from _emergency(read, read.file.emergency)


def _emergency(read: Read[QuotasFile], text: EmergencyText) -> Iterator[Problem]:
    """It comes on top of every other budget, so that it must be small beside each of them."""

    def at(key: str, message: str, hint: str = "") -> Problem:
        return read.document.at_value(("emergency", key), message, hint)

    for narrow, wide in (("practitioner", "node"), ("node", "total")):
        if getattr(text, narrow) > getattr(text, wide):
            yield at(narrow, f"{narrow} is more than {wide}, which bounds it")
    for word, budgets in read.file.quotas.items():
        least = min([window.limit for window in budgets.persons], default=MAX_LIMIT)
        if word not in WIDER_SCOPES and text.practitioner > least:
            yield at("practitioner", f"more than a limit of {word}, which is {least} persons", "a few patients' worth")
    if text.per > MAX_WINDOW_S:
        yield at("per", f"a window may be at most {duration_text(MAX_WINDOW_S)} long")
    if text.longest > MAX_EMERGENCY_S:
        message = f"an outage may be bridged for at most {duration_text(MAX_EMERGENCY_S)}"
        yield at("longest", message, "for so long nobody learns what is revoked on other nodes")
    elif text.longest > text.per:
        yield at("longest", "longest is more than per: the budget would be there anew within one outage")


def _complete(document: Document, where: Where, budgets: BudgetsText) -> Iterator[Problem]:
    """A practitioner without one of the budgets could enumerate with it."""
    for kind in ("persons", "misses", "requests"):
        if not getattr(budgets, kind):
            yield document.at_key(where, f"{where[-1]} has no {kind} budget", f"add {kind}: [{{limit: …, per: …}}]")


def _weights(
    read: Read[QuotasFile],
    vocabulary: Read[VocabularyFile] | None,
    operations: Sequence[Placed],
    views: Sequence[PlacedView],
) -> Iterator[Problem]:
    """A weight that nothing counts, and a limit that one question alone is above."""
    weights = {placed.operation.name: placed.operation.weight for placed in operations}
    if not any(budgets.units for budgets in read.file.quotas.values()):
        for placed in operations:
            if placed.operation.weight > 1:
                where: Where = (placed.operation.name, "weight")
                yield placed.document.at_key(where, "weight has no effect: there are no budgets of units")
    codes = {word: each.code for word, each in vocabulary.file.professions.items()} if vocabulary else {}
    for payer, budgets in read.file.quotas.items():
        code = codes.get(payer)
        asked = weights if payer in WIDER_SCOPES else {v.spec.operation for v in views if v.spec.profession == code}
        heaviest = max((weights.get(name, 1), name) for name in asked) if asked else (1, "")
        for index, window in enumerate(budgets.units):
            if window.limit < heaviest[0]:
                message = f"one {heaviest[1]} weighs {heaviest[0]}: it could never be asked"
                yield read.document.at_value(("quotas", payer, "units", index, "limit"), message)


def _windows(document: Document, where: Where, windows: Sequence[WindowText]) -> Iterator[Problem]:
    seen: set[int] = set()
    for index, window in enumerate(windows):
        here = (*where, index, "per")
        if window.per > MAX_WINDOW_S:
            yield document.at_value(here, f"a window may be at most {duration_text(MAX_WINDOW_S)} long")
        if window.per in seen:
            length = duration_text(window.per) if window.per > 0 else Calendar(window.per).word
            yield document.at_value(here, f"a second limit for {length}: only one can hold")
        seen.add(window.per)


# ---- professions


def _professions(sources: Sources) -> Iterator[Problem]:
    for profession, read in sources.views.items():
        if sources.vocabulary and profession not in sources.vocabulary.file.professions:
            hint = did_you_mean(profession, sources.vocabulary.file.professions)
            yield read.document.at_value((), f"{profession!r}, in the file's name, is not a known profession", hint)
        elif sources.quotas and profession not in sources.quotas.file.quotas:
            message = f"{profession} has views but no budgets: nobody of that profession would be let through"
            yield read.document.at_value((), message, f"add {profession} to quotas.yaml")
