"""`paravent audit verify`: what it prints and how it exits."""

import base64
import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from audit_records import CHAIN, MASTER, write_ledger
from paravent.cli import main
from paravent.cli.audit import audit, verify_and_tell

CONFIGURATION = """
[listen]
address = "127.0.0.1:0"
external_origin = "https://droits.example"
plaintext_from = ["127.0.0.1/32"]
[upstream]
url = "http://127.0.0.1:9000"
[issuers.operateur]
profile = "rfc9068"
issuer = "https://as.example"
jwks = "jwks.json"
audience = ["urn:paravent:droits"]
clients = ["portail"]
[state]
url = "sqlite:state.db"
[audit]
path = "audit"
key_file = "audit.key"
[metrics]
address = "127.0.0.1:0"
[policy]
path = "policies"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_ledger(tmp_path / "audit")
    write_ledger(tmp_path / "audit", 1, writer="1")
    return tmp_path / "audit"


def cut(folder: Path) -> None:
    last = folder / "ledger-0-000003.jsonl"
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))


def test_a_whole_ledger_exits_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of the writers and one sentence."""
    assert verify_and_tell(folder, CHAIN, as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        "writer             files       records",
        "0                      3            12  whole",
        "1                      1             1  whole",
        "",
        "The ledger is whole: 13 records.",
    ]


def test_one_record_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence that a person reads."""
    write_ledger(tmp_path / "audit", 1)
    assert verify_and_tell(tmp_path / "audit", CHAIN, as_json=False) == 0
    assert capsys.readouterr().out.endswith("\n\nThe ledger is whole: 1 record.\n")


def test_findings_that_are_not_listed_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the verdict too: 100 lines on a screen are not all that is wrong."""
    write_ledger(tmp_path / "audit", 1)
    with (tmp_path / "audit/ledger-0-000001.jsonl").open("ab") as file:
        file.write(b"rubbish\n" * 130)
    assert verify_and_tell(tmp_path / "audit", CHAIN, as_json=False) == 1
    *_, further, verdict = capsys.readouterr().out.splitlines()
    assert further == "and 30 more findings, not listed"
    assert verdict == "The ledger is NOT whole: 130 findings, 1 record with a right seal."


def test_a_damaged_ledger_exits_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each finding with its file and line, then the verdict."""
    cut(folder)
    assert verify_and_tell(folder, CHAIN, as_json=False) == 1
    shown = capsys.readouterr().out
    assert "ledger-0-000003.jsonl:3: the head was sealed over record 12" in shown
    assert shown.endswith("The ledger is NOT whole: 1 finding, 12 records with a right seal.\n")


def test_no_ledger_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Said plainly: nothing to check is not a pass."""
    assert verify_and_tell(tmp_path / "audit", CHAIN, as_json=False) == 1
    assert "there is no ledger: the folder does not exist." in capsys.readouterr().out


def test_a_ledger_that_cannot_be_read_exits_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever may not look says that nothing is known, and calls nothing damaged."""
    with unreadable(folder):
        assert verify_and_tell(folder, CHAIN, as_json=False) == 2
    shown = capsys.readouterr().out
    assert shown.startswith("the folder of the ledger cannot be read.")
    assert shown.endswith("The ledger could NOT be read: nobody knows whether it is whole.\n")


@contextmanager
def unreadable(folder: Path) -> Iterator[None]:
    """By whoever it does not belong to; root may, so that for root it is said of the call."""

    def listdir(_: Path) -> list[str]:
        raise PermissionError(errno.EACCES, "a fault of this test")

    with patch.object(os, "listdir", listdir):
        yield


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "damaged"])
def test_machines_get_one_json_object(folder: Path, capsys: pytest.CaptureFixture[str], whole: bool) -> None:
    """The same facts under stable names; nothing else on standard output."""
    if not whole:
        cut(folder)
    code = verify_and_tell(folder, CHAIN, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if whole else 1)
    assert told["whole"] is whole
    assert set(told) == {"whole", "records", "writers", "findings", "further", "notes"}
    assert told["writers"][1] == {"writer": "1", "files": 1, "records": 1, "whole": True}
    assert [finding["kind"] for finding in told["findings"]] == ([] if whole else ["cut_off"])


def test_help_says_what_the_exit_codes_mean() -> None:
    """An operator who schedules the check finds them where they look."""
    shown = CliRunner().invoke(audit, ["verify", "--help"]).output
    told = "Exits 0 when the ledger is whole, 1 when it is not, 2 when it cannot be read or the configuration is wrong."
    assert told in " ".join(shown.split())


def test_without_a_configuration_nothing_is_checked() -> None:
    """Exit code 2, as for every verb whose input is wrong."""
    assert CliRunner().invoke(audit, ["verify"]).exit_code == 2


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """A deployment around the folder of these tests, sealed with the key in `audit.key`."""
    number = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(it.to_bytes(32, "big")).rstrip(b"=").decode() for it in (number.x, number.y))
    key = {"kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256", "use": "sig", "x": x, "y": y}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key]}))
    (tmp_path / "audit.key").write_text(MASTER.reveal().hex())
    (tmp_path / "audit.key").chmod(0o600)
    (tmp_path / "policies").mkdir()
    (tmp_path / "paravent.toml").write_text(CONFIGURATION)
    return tmp_path / "paravent.toml"


@pytest.mark.parametrize(
    ("tamper", "code"), [(lambda it: None, 0), (cut, 1)], ids=["whole exits 0", "cut off at the end exits 1"]
)
def test_verify_reads_the_folder_and_the_key_of_the_configuration(
    configuration: Path, folder: Path, tamper: Callable[[Path], None], code: int
) -> None:
    """`paravent audit verify --config FILE`, as operators and acceptance checks call it."""
    tamper(folder)
    ended = CliRunner().invoke(main, ["audit", "verify", "--config", str(configuration), "--json"])
    assert (ended.exit_code, json.loads(ended.stdout)["whole"]) == (code, code == 0)


def test_a_wrong_configuration_exits_2(configuration: Path) -> None:
    """A missing key file is the configuration's fault, not damage: nothing was checked."""
    (configuration.parent / "audit.key").unlink()
    assert CliRunner().invoke(main, ["audit", "verify", "--config", str(configuration)]).exit_code == 2
