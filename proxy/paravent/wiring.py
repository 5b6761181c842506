"""Settings → a running engine. Here, and in `books`, implementations are chosen; nowhere else."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paravent import __version__, logout
from paravent.audit.keys import LedgerKeys, derive_keys
from paravent.books import measure_book, revocation_book, revocation_file, server
from paravent.decide import Rulebook
from paravent.drive import Engine, Ports
from paravent.effects import MeasureKind
from paravent.identity.assertion import Assertor
from paravent.identity.gate import Gate
from paravent.identity.issuers import MAX_LIFETIME_S, PSC_LIFETIME_S, Issuer, Profile
from paravent.identity.nonces import Nonces
from paravent.identity.portal import Portal
from paravent.identity.verified import VerifiedTokens
from paravent.keys.asking import Trust
from paravent.keys.introspection import Counts, Introspection, Introspector
from paravent.keys.places import KeyFile, KeyUrl, Place
from paravent.keys.source import JwksSource
from paravent.masking import WALK, View, check_rule, check_view, compile_view, names_of
from paravent.measures.lists import MeasureList
from paravent.policy.compile import compile_policy
from paravent.policy.match import RouteTable
from paravent.polled import STALE_FOR_S
from paravent.ports import Clock
from paravent.problems import InvalidFiles, Problem
from paravent.quota.blast_radius import blast_radius
from paravent.quota.charges import Payers
from paravent.quota.emergency import Share
from paravent.revocations.lists import RevocationLists
from paravent.rules import Emergency, Policy
from paravent.rules import Path as FieldPath
from paravent.settings import Issuer as IssuerSettings
from paravent.settings import Redis, Settings, read_policy_folder
from paravent.sinks.files import FileSink
from paravent.sinks.journal import LedgerBusy, LedgerDamaged
from paravent.stores.emergency import EmergencyLedger
from paravent.stores.sqlite import SqliteLedger
from paravent.stores.sqlite_schema import StateFileError
from paravent.telemetry import logs
from paravent.telemetry.management import is_ready
from paravent.telemetry.metrics import Metrics

if TYPE_CHECKING:
    pass

POLICY_POLL_S: Final = 1.0
"""A content hash a second notices edits, atomic renames, ConfigMap symlink swaps and network folders alike."""

STATE_DEADLINE_MS: Final = 1000
"""For one operation of the state store. On a machine whose cores are all taken a quarter of a second is reached by
waiting alone, and the 503 that follows stops a pharmacist; the guard's own deadline is five seconds."""

LOGOUT_STATUS: Final = {logout.Outcome.ACCEPTED: 200, logout.Outcome.REFUSED: 400, logout.Outcome.UNAVAILABLE: 503}
"""Back-Channel Logout 1.0 section 2.8."""

log = logging.getLogger(logs.OURS)


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def load_rulebook(settings: Settings) -> Rulebook:
    """Read and compile the policy. Raises InvalidFiles with every problem of the folder, or of the revocations."""
    file = revocation_file(settings)
    problems = [] if file is None else [each for each in file.read() if isinstance(each, Problem)]
    if problems:
        raise InvalidFiles(problems)
    return _rulebook(settings, read_policy_folder(settings.policy.path), _Fixed(settings))


def build(settings: Settings, clock: Clock | None = None, worker: int | None = None) -> "Runtime":
    """Open everything. Raises InvalidFiles with all that is wrong, and leaves nothing open then.

    `worker`: its number from 1, where several processes serve. Each writes a chain of its own in the one ledger.
    """
    return Runtime(settings, clock or SystemClock(), worker)


class _Fixed:
    """What a reload does not change."""

    def __init__(self, settings: Settings) -> None:
        self.keys: LedgerKeys = derive_keys(settings.audit.key)
        second = settings.audit.second_key
        self.second_disguise = derive_keys(second).disguise if second is not None else None
        self.assertor = Assertor(self.keys.assertion)
        self.nonces = Nonces(self.keys.nonce)
        self.issuers: Mapping[str, Issuer] = {each.issuer: _issuer(each) for each in settings.issuers.values()}
        self.verified = VerifiedTokens()


class Runtime:
    """The engine and what it stands on, from start to close."""

    def __init__(self, settings: Settings, clock: Clock, worker: int | None) -> None:
        self._settings = settings
        self._writer = str(worker or 0)
        self._fixed = _Fixed(settings)
        self._clock = clock
        self.listening = False
        """The listener accepts connections, and we are not draining."""
        self.lively: Callable[[], bool] = lambda: True
        """Whoever listens still comes round to it. Asked on the threads of the management listener."""
        self.proven = False
        """The start-up canary has come back through the listener."""
        self.metrics = Metrics(worker=worker)
        self.metrics.built(__version__, WALK)

        files = read_policy_folder(settings.policy.path)
        self._digest = _digest(files)
        self._rules = _rulebook(settings, files, self._fixed)
        self._policy_good = True
        self._state_looked_after = True
        self._keys = JwksSource(
            {name: _place(each) for name, each in settings.issuers.items()},
            stale_for_s={name: each.jwks_stale_for_s for name, each in settings.issuers.items()},
        )
        self._introspection = Introspection(
            {name: asked for name, each in settings.issuers.items() if (asked := _introspector(each)) is not None}
        )
        self._revocations = RevocationLists(
            revocation_book(settings), revocation_file(settings), stale_for_s=self._stale_for_s
        )
        self._measures = MeasureList(
            measure_book(settings), self._fixed.keys.practitioner, stale_for_s=self._stale_for_s
        )
        self._audit, self._ledger = self._open()
        self._trouble: str | None = None
        self._emergency_told = (0, 0)
        # In a log on another machine, a count that goes down betrays a ledger that was put back or begun anew.
        log.info("ledger_opened", extra={"count": self._audit.records})
        self._logouts = logout.LogoutDesk(
            self._fixed.issuers,
            self._keys,
            revocation_book(settings),
            clock,
            self._revocations.find,
            self._revocations.look,
        )
        self._keys.start()
        self._revocations.start()
        self._measures.start()
        ports = Ports(
            clock, self._keys, self._introspection, self._revocations, self._measures, self._ledger, self._audit
        )
        self.engine = Engine(ports, lambda: self._rules, self.metrics)
        self._watch()

    def _open(self) -> "tuple[FileSink, SqliteLedger | EmergencyLedger]":
        """What can only be known by trying: key sets, ledger, state. All problems at once."""
        settings = self._settings
        file = settings.file.name
        problems = [Problem(file, 0, 0, sentence) for sentence in self._keys.load()]
        audit: FileSink | None = None
        ledger: SqliteLedger | EmergencyLedger | None = None
        try:
            audit = FileSink(settings.audit.path, self._fixed.keys.chain, self._writer)
        except (LedgerDamaged, LedgerBusy) as refusal:
            problems.append(Problem(file, 0, 0, f"audit.path: {refusal}"))
        except OSError as failure:
            problems.append(
                Problem(file, 0, 0, f"audit.path cannot be written ({failure.strerror or type(failure).__name__})")
            )
        try:
            ledger = self._open_ledger(settings)
        except StateFileError as refusal:
            problems.append(Problem(file, 0, 0, f"state.url: {refusal}"))
        problems += self._revocations.load()  # after the state file is there
        if problems or audit is None or ledger is None:
            if audit is not None:
                audit.close()
            if ledger is not None:
                ledger.close()
            raise InvalidFiles(problems)
        return audit, ledger

    def _open_ledger(self, settings: Settings) -> "SqliteLedger | EmergencyLedger":
        """Raises StateFileError. A Redis that cannot be reached is no error: the node is not ready until it can be."""
        if isinstance(settings.state, Redis):
            from paravent.stores.redis import RedisLedger  # noqa: PLC0415 — an extra of the distribution
            from paravent.stores.redis_cluster import ClusterLedger  # noqa: PLC0415 — as above

            kind = ClusterLedger if settings.state.cluster else RedisLedger
            shared = kind(server(settings.state), deadline_ms=STATE_DEADLINE_MS)
            share = Share(settings.listen.workers, max(1, int(self._writer)))
            return EmergencyLedger(shared, self._emergency, share)
        return SqliteLedger.open(settings.state.path, deadline_ms=STATE_DEADLINE_MS)

    def _emergency(self) -> Emergency | None:
        """What this node may let through without its store: nothing where nobody says how many nodes do the same."""
        state = self._settings.state
        return self.policy.quotas.emergency if isinstance(state, Redis) and state.nodes is not None else None

    def _stale_for_s(self) -> float:
        """How old may be what was read from the store: longer only while the store itself is gone, and bridged."""
        ledger = self._ledger
        if not isinstance(ledger, EmergencyLedger) or ledger.reachable:
            return STALE_FOR_S
        emergency = self._emergency()
        return STALE_FOR_S if emergency is None else max(STALE_FOR_S, emergency.longest_s)

    @property
    def revision(self) -> str:
        """Of the policy in force."""
        return self._rules.policy.revision

    @property
    def policy(self) -> Policy:
        return self._rules.policy

    def readiness(self) -> Mapping[str, bool]:
        """By name, what must be well for requests to be answered."""
        checks = {
            "listener": self.listening and self.lively(),
            "canary": self.proven,
            "policy": self._policy_good,
            "audit": self._audit.healthy,
            "state": self._ledger.healthy,
        }
        checks.update({f"keys.{name}": ready for name, ready in self._keys.ready().items()})
        return checks

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public half of the key that signs assertions for the upstream."""
        return self._fixed.assertor.jwks()

    def logout(self, form: bytes) -> int:
        """Take the report of a logout; the HTTP status to answer it with. Blocks: not for the event loop."""
        outcome = self._logouts.take(form)
        self.metrics.logout(outcome.value)
        return LOGOUT_STATUS[outcome]

    async def watch_policy(self) -> None:
        """Look at the folder each second; swap a good change in whole, keep the last good one through a bad one."""
        while True:
            await self._look_after_state()
            await asyncio.sleep(POLICY_POLL_S)
            self._tell_trouble()
            self._tell_emergency()
            try:
                await asyncio.to_thread(self.reload_policy)
            except Exception:
                self._digest = b""
                if self._policy_good:
                    log.exception("policy_unreadable")
                self._policy_good = False
                self.metrics.policy_broken()

    async def _look_after_state(self) -> None:
        """A bug in it must not end the watch: a policy that is edited to stop an attack would never be in force."""
        try:
            await self._ledger.look_after()
        except Exception:
            if self._state_looked_after:
                log.exception("state_not_looked_after")
            self._state_looked_after = False
        else:
            self._state_looked_after = True

    def reload_policy(self) -> bool:
        """True when another policy is in force now. Blocks on the disk: not for the event loop."""
        try:
            files = read_policy_folder(self._settings.policy.path)
        except InvalidFiles as invalid:
            self._digest = b""  # the same files, once they can be read again, are news
            self._keep_last_good(len(invalid.problems))
            return False
        digest = _digest(files)
        if digest == self._digest:
            return False
        self._digest = digest
        try:
            rules = _rulebook(self._settings, files, self._fixed)
        except InvalidFiles as invalid:
            self._keep_last_good(len(invalid.problems))
            return False
        self.metrics.expect(rules.policy.operations, rules.policy.professions)
        self._rules = rules  # one assignment: a request sees the old policy or the new one
        self._policy_good = True
        self.metrics.policy_loaded(rules.policy.revision, self._clock.now_ms() / 1000)
        self.metrics.could_expose(blast_radius(rules.policy))
        self._tell_notes()
        log.info("policy_loaded", extra={"revision": rules.policy.revision})
        return True

    def close(self) -> None:
        """Give everything back, whatever one of them says to it. What waits for the ledger is written."""
        try:
            self._audit.close()
        finally:
            log.info("ledger_closed", extra={"count": self._audit.records})
            try:
                self._ledger.close()
            finally:
                self._revocations.stop()
                self._measures.stop()
                self._keys.stop()

    def _tell_trouble(self) -> None:
        """Why nobody is served: once when the ledger's trouble begins or changes, once when it is over."""
        trouble = self._audit.trouble
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            log.info("ledger_well")
        else:
            log.error("ledger_trouble", extra={"cause": trouble.replace(" ", "_")})

    def _tell_emergency(self) -> None:
        """What went past the state store, and what of it came there since."""
        if not isinstance(self._ledger, EmergencyLedger):
            return
        let_through, settled = self._emergency_told
        self._emergency_told = self._ledger.let_through, self._ledger.settled
        if self._ledger.let_through > let_through:
            log.error("emergency_budget_used", extra={"count": self._ledger.let_through - let_through})
        if self._ledger.settled > settled:
            log.info("emergency_budget_settled", extra={"count": self._ledger.settled - settled})

    def _tell_notes(self) -> None:
        """At each start and each change: nobody forgets that it is there."""
        if self.policy.quotas.emergency is not None and self._emergency() is None:
            log.warning("emergency_budget_unused", extra={"cause": "state.nodes"})
        watched = self.policy.assurance.observe_unbound
        self.metrics.observes_unbound(len(watched))
        for issuer in sorted(watched):
            log.warning("unbound_tokens_observed", extra={"issuer": issuer})

    def _keep_last_good(self, problems: int) -> None:
        if self._policy_good:
            log.error("policy_refused", extra={"problems": problems, "revision": self.revision})
        self._policy_good = False
        self.metrics.policy_broken()

    def _watch(self) -> None:
        metrics, keys, names = self.metrics, self._keys, list(self._settings.issuers)
        metrics.expect(self.policy.operations, self.policy.professions)
        metrics.policy_loaded(self.revision, self._clock.now_ms() / 1000)
        metrics.could_expose(blast_radius(self.policy))
        self._tell_notes()
        metrics.ready(lambda: is_ready(self.readiness()))
        metrics.watch_each(
            "paravent_keys_age_seconds",
            "Seconds since an issuer's key set was last confirmed; NaN before the first.",
            "issuer",
            {name: partial(_age_s, keys, name) for name in names},
        )
        metrics.watch_each(
            "paravent_keys_limit_seconds",
            "The age at which an issuer's key set is no longer used.",
            "issuer",
            {name: partial(float, limit_s) for name, limit_s in keys.limits_s().items()},
        )
        metrics.watch_each(
            "paravent_keys_failures",
            "Reads of an issuer's key set that gave none, since the start.",
            "issuer",
            {name: partial(_failures, keys, name) for name in names},
        )
        # Also for issuers that are never asked: a panel shows 0, and an alert can see.
        counts = {issuer: self._introspection.counts.get(issuer, Counts()) for issuer in names}
        for name in ("asked", "failed"):
            read_each = {issuer: partial(_count, each, name) for issuer, each in counts.items()}
            metrics.watch_each(f"paravent_introspection_{name}", "", "issuer", read_each)
        for name, read in (("entries", self._revocations.entries), ("age_seconds", self._revocations.ages_s)):
            lists = {source: partial(_of_source, read, source) for source in self._revocations.entries()}
            metrics.watch_each(f"paravent_revocations_{name}", "", "source", lists)
        kinds = {kind.value: partial(_standing, self._measures, kind, self._clock) for kind in MeasureKind}
        metrics.watch_each("paravent_measures", "", "kind", kinds)
        metrics.watch("paravent_measures_age_seconds", "", self._measures.age_s)
        ledger = self._ledger
        if isinstance(ledger, EmergencyLedger):
            metrics.watch("paravent_emergency_owed", "", lambda: float(ledger.owed))
        metrics.watch(
            "paravent_state_queue", "Operations waiting for the state store.", lambda: float(self._ledger.queue_depth)
        )


def compile_views(files: Mapping[str, bytes]) -> tuple[Policy, Mapping[tuple[str, str, str], View]]:
    """A policy and its compiled views, by operation, profession and purpose. Raises InvalidFiles."""
    policy = compile_policy(files, check_rule)
    if not isinstance(policy, Policy):
        raise InvalidFiles(policy)
    problems = [
        Problem(place.file if place else spec.operation, place.line if place else 0, 0, text)
        for spec in policy.views
        for place, text in check_view(spec, policy.operations[spec.operation].response)
    ]
    if problems:
        raise InvalidFiles(problems)
    lines: dict[str, list[FieldPath]] = {}
    for spec in policy.views:
        lines.setdefault(spec.operation, []).extend(rule.path for rule in spec.fields)
    names = {operation: names_of(paths) for operation, paths in lines.items()}
    return policy, {
        (spec.operation, spec.profession, spec.purpose): replace(
            compile_view(spec, policy.operations[spec.operation].response), names=names[spec.operation]
        )
        for spec in policy.views
    }


def _rulebook(settings: Settings, files: Mapping[str, bytes], fixed: _Fixed) -> Rulebook:
    policy, views = compile_views(files)
    unknown = sorted(policy.assurance.observe_unbound - set(settings.issuers))
    # `check` tries the boundary on a node that has no issuers: nobody is served by it, and nobody watched.
    if unknown and settings.issuers:
        message = f"observe_unbound: the configuration has no [issuers.{unknown[0]}]"
        raise InvalidFiles([Problem("assurance.yaml", 0, 0, message)])
    emergency, state = policy.quotas.emergency, settings.state
    if emergency is not None and isinstance(state, Redis) and (state.nodes or 0) > emergency.nodes:
        message = f"emergency: state.nodes is {state.nodes}, and total leaves room for {emergency.nodes} of them"
        raise InvalidFiles([Problem("quotas.yaml", 0, 0, message)])
    return Rulebook(
        policy=policy,
        routes=RouteTable(policy.operations.values()),
        views=views,
        gate=Gate(fixed.issuers, settings.listen.external_origin, fixed.nonces, _portal(settings), fixed.verified),
        subject_key=fixed.keys.subject,
        assertor=fixed.assertor,
        disguise_key=fixed.keys.disguise,
        second_disguise_key=fixed.second_disguise,
        payers=Payers(fixed.keys.payer),
    )


def _age_s(keys: JwksSource, name: str) -> float:
    return keys.ages_s().get(name, float("nan"))


def _failures(keys: JwksSource, name: str) -> float:
    return float(keys.failures[name])


def _count(counts: Counts, name: str) -> float:
    return float(counts.asked if name == "asked" else counts.failed)


def _of_source(read: Callable[[], Mapping[str, float]], source: str) -> float:
    return float(read()[source])


def _standing(measures: MeasureList, kind: MeasureKind, clock: Clock) -> float:
    return float(measures.standing(clock.now_ms() / 1000)[kind])


def _digest(files: Mapping[str, bytes]) -> bytes:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(len(name).to_bytes(4) + name.encode() + len(files[name]).to_bytes(8) + files[name])
    return total.digest()


def _issuer(settings: IssuerSettings) -> Issuer:
    profile = Profile(settings.profile)
    return Issuer(
        name=settings.name,
        issuer=settings.issuer,
        audience=settings.audience,
        clients=settings.clients,
        scopes=settings.scopes,
        algorithms=settings.algorithms,
        profile=profile,
        certificates=settings.client_certificates,
        introspection=settings.introspection is not None,
        untyped_logouts=settings.untyped_logouts,
        max_lifetime_s=PSC_LIFETIME_S if profile is Profile.PRO_SANTE_CONNECT else MAX_LIFETIME_S,
    )


def _introspector(settings: IssuerSettings) -> Introspector | None:
    asked = settings.introspection
    if asked is None:
        return None
    if settings.ca is None:
        raise ValueError("settings let an introspection through without its CA")
    trust = Trust(settings.ca, asked.certificate, asked.key)
    return Introspector(asked.url, trust, asked.client, asked.secret, asked.userinfo)


def _portal(settings: Settings) -> Portal | None:
    portal = settings.portal
    return None if portal is None else Portal(portal.cookie, portal.origins)


def _place(settings: IssuerSettings) -> Place:
    return KeyFile(settings.jwks) if isinstance(settings.jwks, Path) else KeyUrl(settings.jwks, settings.ca)
