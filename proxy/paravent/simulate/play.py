"""The demo from curtain to curtain: what is started when, and what is asked of whom."""

import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from paravent.sandbox.population import Population
from paravent.sandbox.practitioners import PHARMACISTS_A_PHARMACY, practitioner
from paravent.simulate.attack import ACCOUNTS, Row, Target, attack
from paravent.simulate.clock import ReplayClock
from paravent.simulate.day import DayFigures, Till, care_date, plan_day, truths
from paravent.simulate.logins import STOLEN, DayIssuer, Issuer
from paravent.simulate.people import attackers_list, patients
from paravent.simulate.processes import Part, Parts
from paravent.simulate.progress import bar, say
from paravent.simulate.report import Figures
from paravent.simulate.scene import Node, Scene
from paravent.simulate.stay import Showcase

SEED: Final = 2022
_HONEST: Final = 30_000
"""Which invented pharmacist is honest; the first nineteen pharmacies are robbed."""


class Play:
    """As a context manager: at its end, however it comes, nothing runs any more."""

    def __init__(self, folder: Path, policies: Path, patients: int) -> None:
        self._began_s = time.monotonic()
        self._folder = folder
        self._patients = patients
        self._people = Population(SEED)
        self._scene = Scene(folder, policies)
        self._parts = Parts(folder)
        self._robbed = [practitioner(account * PHARMACISTS_A_PHARMACY, "21") for account in range(ACCOUNTS)]
        self._day: tuple[Part, Node]
        self._attacked: tuple[Part, Node]

    def all(self, attack_s: float, dry_s: float) -> Figures:
        """The whole demo. `attack_s`: for each attack on the API; `dry_s`: for each through the proxy, at most."""
        self._open()
        day, day_s = self._honest_day()
        rows = tuple(
            self._attack(path, stolen, attack_s if path == "api" else dry_s)
            for stolen in STOLEN
            for path in ("api", "paravent")
        )
        self._parts.check()
        return Figures(day, day_s, rows, time.monotonic() - self._began_s)

    def check(self) -> None:
        """Raises PartFailed when a process has ended."""
        self._parts.check()

    def showcase(self) -> Showcase:
        """What `--stay` leaves standing."""
        return Showcase(self._folder, self._scene, self._attacked[1], self._people, self._robbed[0])

    def _open(self) -> None:
        say("Starting the reference API, a token issuer and Paravent …")
        self._scene.start_laboratory(self._parts, SEED)
        opening = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
        self._clock = ReplayClock(self._folder / "clock", start_ms=int(opening.timestamp()) * 1000)
        self._day_issuer = DayIssuer(self._scene.issuer, practitioner(_HONEST, "21"))
        self._day = self._scene.start_day_proxy(self._parts, self._day_issuer, self._folder / "clock")
        self._attacked = self._scene.start_proxy(self._parts)
        for part, node in (self._day, self._attacked):
            self._scene.wait(self._parts, part, node)

    def _honest_day(self) -> tuple[DayFigures, float]:
        part, node = self._day
        asked = patients(self._people, self._patients, SEED)
        opening_ms = self._clock.now_ms()
        with self._scene.straight() as api, self._scene.through(node) as proxy:
            till = Till(proxy, self._clock, self._day_issuer.log_in, truths(api, asked, care_date(opening_ms // 1000)))
            events = plan_day(asked, SEED)
            began_s = time.monotonic()
            with bar(f"One pharmacy's honest day, {len(asked)} patients", len(events)) as progress:
                for number, event in enumerate(events, 1):
                    till.handle(event, opening_ms)
                    progress(number)
            seconds = time.monotonic() - began_s
        self._parts.stop(part)
        return till.figures, seconds

    def _attack(self, path: str, stolen: str, limit_s: float) -> Row:
        node = self._attacked[1]
        issuer = Issuer(self._scene.issuer)
        target = (
            Target(path, stolen, self._scene.straight, (None,) * ACCOUNTS)
            if path == "api"
            else Target(
                path,
                stolen,
                lambda: self._scene.through(node),
                tuple(issuer.log_in(account, STOLEN[stolen]) for account in self._robbed),
            )
        )
        lists = [attackers_list(self._people, account, ACCOUNTS) for account in range(ACCOUNTS)]
        where = "straight at the API" if path == "api" else "through Paravent"
        with bar(f"{ACCOUNTS} stolen {stolen}s, {where}", round(limit_s * 10)) as progress:
            today = care_date(int(time.time()))
            return attack(target, lists, today, limit_s, lambda elapsed_s, _requests: progress(int(elapsed_s * 10)))

    def __enter__(self) -> Self:
        self._parts.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.__exit__(kind, error, trace)
