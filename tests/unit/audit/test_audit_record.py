"""What a record says, and what it can never say."""

import re

import orjson
import pytest
from msgspec.structs import replace

from audit_records import EVIDENCE, PHARMACIST, REVISION, about, facts, person, release
from paravent.audit import grammar
from paravent.audit.record import record
from paravent.model import About, Deny, Release, Subject, Withhold
from paravent.reasons import Reason

# Invented: commune codes 990 and above are not given to any French commune.
NIR = "1850578990084"
POISONS = {
    "a NIR": NIR,
    "a NIR with its key": NIR + "07",
    "a NIR as a card prints it": "1 85 05 78 990 084 07",
    "a NIR of Corsica": "285052A990084",
    "a NIR behind a word": f"patient-{NIR}",
    "a NIR inside a word": f"a{NIR}b",
    "a NIR with dashes": "1-85-05-78-990-084",
    "a URL": "https://droits.example/v1/droits?nir=1",
    "a URL that holds a NIR": f"/v1/droits/{NIR}",
    "a JWT": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI4MTAwMDM0NjEwMzMifQ.c2lnbmF0dXJl",
    "an opaque token": "mF_9B5f-4.1JqM2YotnFZFEjr1zCsicMWpAA7QxJv3s",
    "a hexadecimal token": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "a family name": "Lefèvre-Deschamps",
    "a second log line": 'x"}\n{"decision":"release"',
    "a control character": "portail\x1b[2J",
    "a lone surrogate": "portail\udcff",
    "nothing": "",
    "a flood": "a" * 100_000,
}


def everywhere(text: str) -> list[tuple[str, dict[str, object]]]:
    """Records whose every text member, one after the other, was given `text`."""
    who = {name: replace(PHARMACIST, **{name: text}) for name in ("rpps", "profession", "client", "issuer")}
    who["finess"] = replace(PHARMACIST, finess=text)
    proof = {name: replace(EVIDENCE, **{name: text}) for name in ("level", "binding", "token_id")}
    abouts = {name: replace(about(), practitioner=it) for name, it in who.items()}
    abouts |= {name: replace(about(), evidence=it) for name, it in proof.items()}
    abouts |= {name: replace(about(), **{name: text}) for name in ("operation", "purpose")}
    made = [(name, Withhold(Reason.ANSWER_SHAPE, it), facts(), REVISION) for name, it in abouts.items()]
    made.append(("request id", Withhold(Reason.ANSWER_SHAPE), facts(request_id=text), REVISION))
    made.append(("revision", Withhold(Reason.ANSWER_SHAPE), facts(), text))
    records = [
        (name, record(request, held, status=502, revision=revision, elapsed_ms=1))
        for name, held, request, revision in made
    ]
    poisoned = replace(release(), released={text: 1})
    return [*records, ("released", record(facts(), poisoned, status=200, revision=REVISION, elapsed_ms=1))]


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS.keys())
def test_no_free_text_enters_a_record(poison: str) -> None:
    """Wherever it comes from, a text that does not fit is recorded as "other", and the record is still JSON."""
    for member, made in everywhere(poison):
        line = orjson.dumps(made).decode()
        assert '"other"' in line, member
        if poison:
            assert poison not in line, member
        assert NIR not in re.sub(r"[^0-9A-Za-z]", "", line), member


@pytest.mark.parametrize("value", [int(NIR), 10**30, -5], ids=["a NIR", "beyond 64 bits", "negative"])
def test_no_number_is_long_enough_to_be_an_identifier(value: int) -> None:
    """Counts and durations are held between 0 and nine digits."""
    proof = replace(EVIDENCE, auth_age_s=value)
    gone = replace(release(), about=replace(about(), evidence=proof), dropped=value, released={"/a": value})
    made = record(facts(), gone, status=value, revision=REVISION, elapsed_ms=value)
    numbers = [made["auth_age_s"], made["dropped"], made["elapsed_ms"], made["released"]["/a"]]  # type: ignore[index]
    assert numbers == [min(max(value, 0), grammar.NUMBER_MAX)] * 4
    assert made["status"] == 0


def test_a_release_says_who_saw_whom_and_which_fields() -> None:
    """The whole record of a release, member by member: what a notification under GDPR article 33 is made from."""
    result = replace(release(7), about=about(person(7)))
    assert record(facts(7), result, status=200, revision=REVISION, elapsed_ms=12) == {
        "v": 1,
        "id": "00000000000000000000000000000007",
        "at": "2026-03-02T08:15:00.257Z",
        "decision": "release",
        "reason": None,
        "status": 200,
        "operation": "droits.consultation",
        "purpose": "dispensation",
        "profession": "21",
        "practitioner": "10003461033",
        "finess": "750990011",
        "client": "portail",
        "issuer": "operateur",
        "level": "substantiel",
        "auth_age_s": 312,
        "binding": "dpop",
        "token": "fedcba9876543210",
        "persons": ["00000000000000000000000000000007"],
        "asked": "00000000000000000000000000000007",
        "measures": [],
        "emergency": False,
        "justification": None,
        "released": {"/beneficiaireDeSoins/nomUsuel": 1, "/contratsAMC[]/numeroAdherent": 2},
        "dropped": 41,
        "policy": REVISION,
        "elapsed_ms": 12,
    }


def test_a_denial_before_anybody_is_known_has_the_same_members() -> None:
    """Readers find every member in every record; what was not learnt is null."""
    denied = record(facts(), Deny(Reason.TOKEN_MISSING), status=401, revision=REVISION, elapsed_ms=0)
    released = record(facts(), release(), status=200, revision=REVISION, elapsed_ms=0)
    assert denied.keys() == released.keys()
    unknown = {name for name, value in denied.items() if value is None}
    assert unknown == {
        "operation", "purpose", "profession", "practitioner", "finess", "client", "issuer", "level", "auth_age_s",
        "binding", "token", "asked", "justification",
    }  # fmt: skip
    assert (denied["decision"], denied["reason"], denied["persons"]) == ("deny", "token_missing", [])


def test_what_was_withheld_disclosed_nobody() -> None:
    """The persons of an answer that did not leave are not persons disclosed; whom it was asked about is kept."""
    held = Withhold(Reason.ANSWER_OTHER_PERSON, about(person(3)), persons=(person(3), person(4)))
    made = record(facts(), held, status=502, revision=REVISION, elapsed_ms=5)
    assert (made["decision"], made["persons"], made["released"]) == ("withhold", [], {})
    assert made["asked"] == person(3).key.hex()


def test_a_subject_of_another_length_is_not_written() -> None:
    """Only 16-byte keyed hashes stand for persons: a raw identifier put there by mistake stays out, and is counted."""
    raw = Subject(NIR.encode())
    result = Release(b"{}", b"application/json", About(subject=raw), (raw, person(2)), {}, 0)
    made = record(facts(), result, status=200, revision=REVISION, elapsed_ms=1)
    assert made["asked"] == "other"
    assert made["persons"] == ["other", person(2).key.hex()]


@pytest.mark.parametrize(
    "client",
    [
        "portail",
        "LGO-Winpharm",
        "lgo_2",
        "ans-poc-bas-psc",
        "editeur.logiciel.v12",
        "0b3a6d4e-52f1-4c1b-9d7e-1f2a3b4c5d6e",
    ],
)
def test_ordinary_client_names_are_kept(client: str) -> None:
    """Accountability needs to know which software asked: names and UUIDs pass."""
    assert grammar.name(client) == client


@pytest.mark.parametrize(
    "path",
    [
        "/infosGlobales/codeRegime",
        "/contratsAMC[]/garanties[domaine=PHAR]/tauxPourcent",
        "/beneficiaireDeSoins/lstPeriodeCodeCouverture[]/codeSituation",
    ],
)
def test_policy_paths_are_kept(path: str) -> None:
    """The report of an incident names the fields that left."""
    assert grammar.path(path) == path


def test_the_time_is_utc_to_the_millisecond() -> None:
    """RFC 3339, Z, three digits, also when the milliseconds are few."""
    early = replace(facts(), now_ms=7)
    made = record(early, Deny(Reason.TOKEN_MISSING), status=401, revision=REVISION, elapsed_ms=0)
    assert made["at"] == "1970-01-01T00:00:00.007Z"
