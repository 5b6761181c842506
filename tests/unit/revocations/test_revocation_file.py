"""The file of revocations: what can be written, and what is said of mistakes."""

from pathlib import Path

import pytest

from paravent.effects import Revocation
from paravent.problems import Problem
from paravent.revocations.file import RevocationFile, parse

ISSUERS = {"operateur": "https://as.example", "psc": "https://psc.example"}


def read(text: str) -> tuple[Revocation, ...] | tuple[Problem, ...]:
    return parse("revoked.yaml", text.encode(), ISSUERS)


def test_everything_that_can_be_written() -> None:
    """Each kind, and each word about it."""
    assert read(
        """\
- practitioner: "10003461033"
  until: 2026-12-01T08:00:00Z
  because: ticket 4711
- practitioner: "10003461033"
  issuer: psc
  issued_before: 2026-12-01T09:00:00+01:00
- token: 0f1e2d3c4b5a6978
- session: login-1
  issuer: operateur
- client: portail
- certificate: 0101010101010101010101010101010101010101010101010101010101010101
- key: k1
  issuer: operateur
"""
    ) == (
        Revocation("practitioner:10003461033", until_s=1796112000),
        Revocation("practitioner:10003461033@psc", issued_before_s=1796112000),
        Revocation("token:0f1e2d3c4b5a6978"),
        Revocation("session:89a0af9da9930baf"),
        Revocation("client:portail"),
        Revocation("certificate:" + "01" * 32),
        Revocation("key:operateur/k1"),
    )


@pytest.mark.parametrize("text", ["", "# nobody\n", "[]\n"])
def test_an_empty_file_revokes_nothing(text: str) -> None:
    """Empty, only comments, or an empty list."""
    assert read(text) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("practitioner: x\n", "revoked.yaml:1:1: the file must be a list: each entry begins with -"),
        ("- 10003461033\n", 'revoked.yaml:1:3: an entry must be a mapping, such as practitioner: "10003461033"'),
        ("- practitioner: 10003461033\n", "revoked.yaml:1:17: practitioner must be text"),
        ('- practitioner: "1"\n', "revoked.yaml:1:3: practitioner must be an RPPS number: 11 digits, or 8 "),
        ("- praticien: x\n", "revoked.yaml:1:3: unknown key 'praticien'"),
        ("- client: portail\n  key: k1\n", "revoked.yaml:1:3: an entry names one thing"),
        ("- until: 2026-12-01T08:00:00Z\n", "revoked.yaml:1:3: an entry names one thing"),
        ("- client: a\n  until: tomorrow\n", "revoked.yaml:1:3: until is no time such as 2026-12-01T08:00:00Z"),
        ("- client: a\n  until: 2026-12-01T08:00:00\n", "revoked.yaml:1:3: until is no time such as"),
        ("- key: k1\n  issuer: nobody\n", "revoked.yaml:1:3: there is no issuer 'nobody'"),
        ("- key: k1\n", "revoked.yaml:1:3: key needs an issuer: its name in the configuration"),
        ("- client: a\n  because: <b>\n", "revoked.yaml:1:3: because must be at most 100 letters"),
        ("- client: a\n  because: dossier 2840575990003\n", "revoked.yaml:1:3: because must not hold the number of a"),
        (
            "- client: a\n  because: since 2026-11-30\n",
            "revoked.yaml:1:3: because must not hold the number of a person",
        ),
        ("- client: a\n- client: a\n  client: b\n", "revoked.yaml:3:3: the key 'client' stands here twice"),
    ],
)
def test_what_is_said_of_mistakes(text: str, problem: str) -> None:
    """A file with a mistake is no file: nothing of it is taken, and the place is told."""
    (found,) = read(text)
    assert str(found).startswith(problem)


def test_every_mistake_at_once() -> None:
    """Two wrong entries are two problems."""
    assert len(read('- client: ""\n- client: portail\n- token: x\n')) == 2


def test_a_file_that_is_gone_is_a_mistake(tmp_path: Path) -> None:
    """Deleting the file lifts nothing."""
    (found,) = RevocationFile(tmp_path / "revoked.yaml", ISSUERS).read()
    assert isinstance(found, Problem)
