"""What is left standing after the demo: lines to paste, and what keeps them true.

A DPoP proof is for one request and for a minute, so nothing could be pasted with one: the tokens here are bound to a
client certificate instead. They live for an hour and are replaced in time.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from paravent.sandbox.population import Population
from paravent.sandbox.practitioners import Account, practitioner
from paravent.simulate.attack import FOR_GOOD_S
from paravent.simulate.client import PATH, Login
from paravent.simulate.day import care_date
from paravent.simulate.logins import PASSWORD, TOKEN_S, TWO_FACTORS, Factors, Issuer
from paravent.simulate.people import attackers_list, patients
from paravent.simulate.scene import Node, Scene

REFRESH_S: Final = TOKEN_S / 3
PAUSE_S: Final = 2.0
"""Between two looks at the spent account."""
_PHARMACIST: Final = 50_000
"""Somebody whom neither the day nor the attack has used."""


@dataclass(frozen=True, slots=True)
class Line:
    """Something to paste."""

    says: str
    """What it shows."""
    command: str


class Showcase:
    """The files that the lines use, and one account that stays spent."""

    def __init__(self, folder: Path, scene: Scene, node: Node, people: Population, spent: Account) -> None:
        """`spent`: an account that the attack has used up."""
        self._folder = folder
        self._scene = scene
        self._node = node
        self._issuer = Issuer(scene.issuer)
        self._certificate = scene.authority.client("practitioner")
        self._pharmacist = practitioner(_PHARMACIST, "21")
        self._spent = spent
        self._patient, self._stranger = patients(people, 2, seed=int(time.time()))
        self._list = attackers_list(people, 1, 2)
        self._login: Login | None = None

    def refresh(self) -> None:
        """Write the headers of every line with new tokens."""
        self._write("two-factors.txt", self._pharmacist, TWO_FACTORS)
        self._write("password-only.txt", self._pharmacist, PASSWORD)
        self._write("spent.txt", self._spent, TWO_FACTORS)
        self._login = self._issuer.log_in(self._spent, TWO_FACTORS)

    def keep_spent(self) -> None:
        """Ask on the spent account until it is refused for long: its budget refills with time, as it should."""
        with self._scene.through(self._node) as caller:
            while True:
                now_s = int(time.time())
                reply = caller.ask(next(self._list), care_date(now_s), self._login, now_s)
                wait_s = reply.retry_after_s or 0
                if reply.status == 429 and wait_s > FOR_GOOD_S:
                    return
                if reply.status not in {200, 429}:
                    raise RuntimeError(f"the stolen session is refused for another reason ({reply.status})")
                time.sleep(wait_s)

    def lines(self) -> list[Line]:
        """In the order to try them."""
        asked, other = self._question(0), self._question(1)
        proxy = self._node.origin
        return [
            Line("the API's own answer: the whole family", self._curl("", asked, self._scene.api + PATH)),
            Line("the same question through Paravent (200)", self._curl("two-factors.txt", asked, proxy + PATH)),
            Line("a login with a password alone (401)", self._curl("password-only.txt", asked, proxy + PATH)),
            Line("an operation that no policy names (403)", self._curl("two-factors.txt", "{}", proxy + "/v1/exports")),
            Line("one more person on a stolen account (429)", self._curl("spent.txt", other, proxy + PATH)),
        ]

    def _write(self, name: str, account: Account, factors: Factors) -> None:
        token = self._issuer.log_in_with_certificate(account, factors, self._certificate.x5t_s256)
        file = self._folder / name
        file.touch(0o600)
        file.write_text(f"Authorization: Bearer {token.reveal()}\n", "ascii")

    def _question(self, which: int) -> str:
        question = (self._patient, self._stranger)[which]
        return (
            f'{{"immatriculation": "{question.nir}", "dateNaissance": "{question.birth_date}", '
            f'"rangGemellaire": {question.birth_rank}, "domaine": "PHAR"}}'
        )

    def _curl(self, header_file: str, body: str, url: str) -> str:
        options = ["curl -i"]
        if header_file:
            pair = self._certificate
            options.append(f"--cacert {self._scene.authority.certificate} --cert {pair.certificate} --key {pair.key}")
            options.append(f"-H @{self._folder / header_file}")
        options.append(f"-H 'Content-Type: application/json' -d '{body}' {url}")
        return " ".join(options)
