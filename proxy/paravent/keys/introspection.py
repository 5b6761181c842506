"""Asking issuers whether a token of theirs still stands (RFC 7662), and who its holder is where the token does not say.

* The question is a form by POST; we authenticate with a client certificate (RFC 8705 section 2) or a secret.
* An answer is kept for three seconds, and never past the token's own end. So a practitioner's burst costs one question,
  and a logout is in force within three seconds.
* All who ask about one token at one time share one question. At most so many questions are under way at an issuer.
* Whatever is not a clear answer in time is `IssuerDown`: nobody is let in for it, and nothing is remembered of it.
* Userinfo (OpenID Connect Core section 5.3), where it is configured, is asked once for a token: who somebody is does
  not change within its two minutes.
"""

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus, urlencode

from paravent.effects import Introspect, IssuerDown, Standing
from paravent.identity.jws import parse_object
from paravent.identity.psc import READ
from paravent.keys.asking import AskError, Trust, ask
from paravent.model import Json, Secret

HOLD_S: Final = 3.0
"""How old an answer may be. RFC 7662 section 4 leaves it to the service: "as short as possible"."""
DEADLINE_S: Final = 2.0
"""For one question, from connecting to the last byte. The guard's own deadline is five seconds."""
MAX_ANSWERS: Final = 8192
"""As many as tokens are remembered; about 2 KB each, however much the issuer says: what nobody reads is not kept."""
UNDER_WAY: Final = 32
"""Questions at a time at one issuer."""


@dataclass(frozen=True, slots=True)
class Introspector:
    """How one issuer is asked."""

    url: str
    trust: Trust
    client: str
    secret: Secret[str] | None
    """None: the certificate of `trust` says who we are."""
    userinfo: str | None = None
    """Address of its userinfo endpoint."""


@dataclass(slots=True)
class Counts:
    """Of one issuer, since the start."""

    asked: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Asked:
    """Everything about one token."""

    standing: Standing
    until_s: float
    """Of the clock that only goes forward."""
    person: Mapping[str, Json] | None = field(repr=False)
    """From userinfo; kept while the token is."""


class Introspection:
    """`ports.Introspection`. To be used from one event loop."""

    def __init__(self, issuers: Mapping[str, Introspector], clock_s: Callable[[], float] = time.monotonic) -> None:
        """`issuers`: the issuer's name in the configuration → how it is asked."""
        self._issuers = issuers
        self._clock_s = clock_s
        self._answers: OrderedDict[bytes, _Asked] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Task[Standing | IssuerDown]] = {}
        self._places = {name: asyncio.Semaphore(UNDER_WAY) for name in issuers}
        self.counts: Mapping[str, Counts] = {name: Counts() for name in issuers}

    async def ask(self, wanted: Introspect, now_ms: int) -> Standing | IssuerDown:
        """See the module."""
        if wanted.issuer not in self._issuers:
            return IssuerDown.UNAVAILABLE
        if wanted.expires_s * 1000 <= now_ms:
            return Standing(False)
        kept = self._answers.get(wanted.digest)
        if kept is not None and self._clock_s() < kept.until_s:
            return kept.standing
        task = self._under_way.get(wanted.digest)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(wanted))
            self._under_way[wanted.digest] = task
            task.add_done_callback(lambda _: self._under_way.pop(wanted.digest, None))
        # Of those who wait for one answer, one that leaves does not end it for the others.
        return await asyncio.shield(task)

    async def _ask(self, wanted: Introspect) -> Standing | IssuerDown:
        counts, asked_s = self.counts[wanted.issuer], self._clock_s()
        counts.asked += 1
        try:
            async with asyncio.timeout(DEADLINE_S), self._places[wanted.issuer]:
                standing, person = await self._answer(wanted)
        except (AskError, TimeoutError):
            counts.failed += 1
            return IssuerDown.UNAVAILABLE
        # From when it was asked: what the issuer has learned since then is not in the answer.
        self._answers[wanted.digest] = _Asked(standing, asked_s + HOLD_S, person)
        self._answers.move_to_end(wanted.digest)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
        return standing

    async def _answer(self, wanted: Introspect) -> tuple[Standing, Mapping[str, Json] | None]:
        issuer = self._issuers[wanted.issuer]
        answer = await _introspect(issuer, wanted.token)
        if not answer["active"]:
            return Standing(False), None
        members = _read(answer)
        if issuer.userinfo is None:
            return Standing(True, members), None
        kept = self._answers.get(wanted.digest)
        person = kept.person if kept is not None else None
        if person is None:
            person = _read(await _userinfo(issuer.userinfo, issuer, wanted.token))
        # OpenID Connect Core section 5.3.2: an answer about somebody else is not to be used.
        if person.get("sub") != members.get("sub", person.get("sub")):
            raise AskError("the issuer's two answers are about two persons")
        return Standing(True, {**person, **members}), person


def _read(answer: Mapping[str, Json]) -> Mapping[str, Json]:
    """Not the name and every address of somebody whose profession was asked for."""
    return {name: answer[name] for name in READ if name in answer}


async def _introspect(issuer: Introspector, token: Secret[bytes]) -> Mapping[str, Json]:
    """RFC 7662 section 2.1. The answer's members, `active` among them: a boolean."""
    form = {"token": token.reveal().decode("ascii"), "token_type_hint": "access_token"}
    headers = {}
    if issuer.secret is None:
        form["client_id"] = issuer.client
    else:
        # RFC 6749 section 2.3.1: both are form-encoded first.
        pair = f"{quote_plus(issuer.client)}:{quote_plus(issuer.secret.reveal())}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    answer = parse_object(await ask(issuer.url, issuer.trust, headers, urlencode(form).encode(), DEADLINE_S))
    if answer is None or type(answer.get("active")) is not bool:
        raise AskError("the issuer's answer does not say whether the token is active")
    return answer


async def _userinfo(url: str, issuer: Introspector, token: Secret[bytes]) -> Mapping[str, Json]:
    headers = {"Authorization": "Bearer " + token.reveal().decode("ascii")}
    answer = parse_object(await ask(url, issuer.trust, headers, None, DEADLINE_S))
    if answer is None or not isinstance(answer.get("sub"), str):
        raise AskError("the issuer's userinfo does not say about whom it is")
    return answer
