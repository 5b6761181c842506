"""A policy small enough to read in one look, the reference policy, and ways to spoil the small one.

told = problems({"quotas.yaml": ("limit: 60", "limit: 0")})
assert told == ["quotas.yaml:3:23: limit must be at least 1"]
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from paravent.policy.compile import compile_policy
from paravent.problems import Problem
from paravent.rules import FieldRule, Policy, ResponseShape
from paravent.settings import read_policy_folder

REFERENCE: Final = Path(__file__).parents[2] / "policies"

SMALL: Final[Mapping[str, str]] = {
    "vocabulary.yaml": """\
professions:
  pharmacien: {code: "21", default_purpose: dispensation}
purposes:
  dispensation: Dispensing.
""",
    "assurance.yaml": """\
levels:
  eleve: {acr: [eidas3], amr: {all: [mfa]}}
  substantiel: {acr: [eidas2, eidas3], amr: {all: [mfa]}}
bindings: [mtls, dpop]
thumbprint_encoding: rfc8705
""",
    "quotas.yaml": """\
quotas:
  pharmacien:
    persons: [{limit: 60, per: 10m}]
    misses: [{limit: 30, per: 1h}]
    requests: [{limit: 20, per: 10s}]
  fleet: {persons: [{limit: 9000, per: 1d}]}
""",
    "operations/droits.yaml": """\
droits.consultation:
  match: {method: POST, path: /v1/droits}
  require: {level: substantiel, max_auth_age: 4h}
  request:
    immatriculation: nir
    dateNaissance: birth-date
    rangGemellaire: birth-rank
    domaine: {type: domain, required: false, one_of: [PHAR, MED]}
  subject: {nir: /immatriculation, birth_date: /dateNaissance, birth_rank: /rangGemellaire}
  response:
    format: json
    persons: [/beneficiaire, "/famille[]"]
    identified_by: {nir: nir, birth_date: dateNaissance, birth_rank: rangGemellaire}
""",
    "operations/cartes.yaml": """\
cartes.lecture:
  match: {method: GET, path: "/v1/cartes/{amc}/{adherent}"}
  require: {level: eleve, max_auth_age: 1h}
  parameters: {amc: amc-number, adherent: member-number}
  subject: {card: ["{amc}", "{adherent}"]}
  response: {format: json}
""",
    "views/pharmacien.yaml": """\
droits.consultation:
  dispensation:
    /beneficiaire/nomUsuel: keep
    /beneficiaire/dateNaissance: echo
    /contrats[]/garanties[domaine=PHAR]/taux: keep
cartes.lecture:
  dispensation:
    /csr: keep
    /numeroAMC: {echo: "{amc}"}
""",
}

type Changes = Mapping[str, tuple[str, str] | str | bytes | None]
"""File → (text, text instead of it), the whole content, or None for no such file."""


def anything(_: FieldRule, __: ResponseShape) -> str | None:
    """A checker that lets every operator through: what operators want is their own tests' matter."""
    return None


def small(changes: Changes | None = None) -> dict[str, bytes]:
    """The files of the small policy, some of them changed. A change that changes nothing is a mistake."""
    files = {name: text.encode() for name, text in SMALL.items()}
    for name, change in (changes or {}).items():
        if change is None:
            del files[name]
        elif isinstance(change, tuple):
            old, new = (text.encode() for text in change)
            assert files[name].count(old) == 1, f"{name} has {change[0]!r} {files[name].count(old)} times"
            files[name] = files[name].replace(old, new)
        else:
            files[name] = change if isinstance(change, bytes) else change.encode()
    return files


def problems(changes: Changes) -> list[str]:
    """What is said of the small policy with these changes: `file:line:column: message (hint)`."""
    told = compile_policy(small(changes), anything)
    return [] if isinstance(told, Policy) else [as_line(problem) for problem in told]


def as_line(problem: Problem) -> str:
    return str(problem).replace("\n    hint: ", " (") + (")" if problem.hint else "")


def compiled(changes: Changes | None = None) -> Policy:
    """The small policy, which must be right."""
    told = compile_policy(small(changes), anything)
    assert isinstance(told, Policy), [str(problem) for problem in told]
    return told


def reference_files() -> dict[str, bytes]:
    return read_policy_folder(REFERENCE)
