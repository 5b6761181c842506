"""Records, keys and whole ledgers, for tests of the audit.

    write_ledger(folder)                      # 12 records of writer "0" in three files of four
    write_ledger(folder, 1, first=13)         # resumes it, one record more
    line, link = seal(genesis("0"), a_record(7), KEY)

Everything in a record follows from its number, so that two records of one number are equal and take the same bytes.
"""

from pathlib import Path

from paravent.audit.chain import genesis, seal
from paravent.audit.keys import ChainKey, derive_keys
from paravent.audit.record import record
from paravent.model import About, Connection, Evidence, Facts, Practitioner, Release, Secret, Subject
from paravent.sinks.journal import Journal

MASTER = Secret(bytes(range(100, 132)))
"""What a key file holds."""

CHAIN = derive_keys(MASTER).chain
KEY = ChainKey.of(CHAIN)
OTHER_CHAIN = derive_keys(Secret(bytes(range(200, 232)))).chain
"""Of another key file."""

REVISION = "0123456789abcdef"

FIRST_MS = 1_772_439_300_250
"""2026-03-02T08:15:00.250Z; the request of record n came n milliseconds later."""

PHARMACIST = Practitioner(rpps="10003461033", profession="21", finess="750990011", client="portail", issuer="operateur")
EVIDENCE = Evidence(level="substantiel", auth_age_s=312, binding="dpop", token_id="fedcba9876543210")


def person(number: int) -> Subject:
    """An invented person, as the ledger knows them."""
    return Subject(number.to_bytes(16, "big"))


def facts(number: int = 1, request_id: str | None = None) -> Facts:
    """A request. Nothing of its target, headers or body may be found in a record."""
    return Facts(
        request_id=f"{number:032x}" if request_id is None else request_id,
        now_ms=FIRST_MS + number,
        method=b"POST",
        target=b"/v1/droits?target-of-the-caller",
        headers=((b"authorization", b"DPoP token-of-the-caller"),),
        body=b'{"body":"of the caller"}',
        connection=Connection(peer_ip="127.0.0.1", secure=True),
    )


def about(subject: Subject | None = None) -> About:
    """A decision that got all the way; asked about person 1 unless told whom."""
    return About("droits.consultation", "dispensation", PHARMACIST, EVIDENCE, subject or person(1))


def release(number: int = 1) -> Release:
    """Three values about one person leave, 41 do not."""
    return Release(
        body=b'{"beneficiaireDeSoins":{}}',
        content_type=b"application/json",
        about=about(),
        persons=(person(number),),
        released={"/beneficiaireDeSoins/nomUsuel": 1, "/contratsAMC[]/numeroAdherent": 2},
        dropped=41,
    )


def a_record(number: int = 1) -> dict[str, object]:
    """The record of a release. Its line is as long as that of any other number, but for the digits of `seq`."""
    return record(facts(number), release(number), status=200, revision=REVISION, elapsed_ms=12)


def write_ledger(folder: Path, count: int = 12, *, writer: str = "0", first: int = 1, per_file: int = 4) -> None:
    """Create or resume a ledger and append `count` records, numbered from `first`, `per_file` lines a file."""
    line, _ = seal(genesis(writer), a_record(), KEY)
    journal = Journal(folder, KEY, writer, per_file * len(line) + len(line) // 2)
    for number in range(first, first + count):
        assert journal.commit(*seal(journal.tip, a_record(number), KEY))
    journal.close()
