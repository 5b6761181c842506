"""`paravent revoke` and `paravent revocations`, and a node that serves from the same state store."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from answers import ANSWER
from node import make_folder, running_node
from paravent.audit.command import revocation_record
from paravent.cli import main
from paravent.effects import Revocation
from paravent.identity.claims import name_of
from paravent.problems import InvalidFiles
from paravent.settings import load_settings
from paravent.stores.sqlite import SqliteLedger
from paravent.wiring import build
from tokens import ISSUER, RPPS
from until import until
from wire import raw_upstream

SAID = ("--author", "J. Essai", "--reason", "ticket 4711")


@pytest.fixture
def paravent(tmp_path: Path) -> Callable[..., Result]:
    """The command line, on a configuration whose state store exists."""
    config = make_folder(tmp_path, 9).config
    SqliteLedger.open(load_settings(config, {}).state.path).close()
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(config)])


def test_revoke_list_lift(paravent: Callable[..., Result]) -> None:
    """The three things there are to do, as they are shown."""
    words = ("--until", "2099-01-01T00:00:00Z", "--author", "J. Essai", "--reason", "ticket 4711")
    revoked = paravent("revoke", "practitioner", RPPS, *words)
    assert (revoked.exit_code, revoked.output) == (0, f"practitioner:{RPPS} is revoked.\n")
    assert paravent("revoke", "key", "k1", "--issuer", "operateur").exit_code == 0
    assert paravent("revoke", "client", "portail", "--issued-before", "2026-01-01T00:00:00Z").exit_code == 0
    assert paravent("revocations").output.splitlines() == [
        "client:portail  until it is lifted  issued before 2026-01-01T00:00:00Z",
        "key:operateur/k1  until it is lifted",
        f"practitioner:{RPPS}  2099-01-01T00:00:00Z  ticket 4711",
        "3 revoked.",
    ]
    assert json.loads(paravent("revocations", "--json").output)[2] == {
        "mark": f"practitioner:{RPPS}",
        "until": "2099-01-01T00:00:00Z",
        "issued_before": None,
        "because": "ticket 4711",
    }
    assert paravent("revoke", "client", "portail", "--lift", *SAID).output == "client:portail is lifted.\n"
    assert "nothing was changed" in paravent("revoke", "client", "portail", "--lift").output
    assert paravent("revocations").output.splitlines()[-1] == "2 revoked."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("practicioner", RPPS), "nothing that can be revoked; did you mean practitioner?"),
        (("practitioner", "0" + RPPS), "practitioner must be an RPPS number: 11 digits, or 8 and 11 digits"),
        (("key", "k1"), "key needs an issuer"),
        (("key", "k1", "--issuer", "operator"), "did you mean operateur?"),
        (("client", "portail", "--until", "tomorrow"), "until is no time such as"),
        (("client", "portail", "--reason", f"asked by {RPPS}"), "--reason must not hold the number of a person"),
        (
            ("client", "portail", "--because", "de １０００３４６１０３３"),
            "--reason must not hold the number of a person",
        ),
        (("client", "portail", "--until", "9999-12-31T23:59:59-14:00"), "until is no time such as"),
        (("client", "portail", "--issued-before", "0001-01-01T00:00:00+14:00"), "issued_before is no time such as"),
        (("client", "portail", "--because", "since 2026-11-30"), "eight digits or more, a date among them"),
        (("client", "portail", "--until", "2020-01-01T00:00:00Z"), "until is over: it would keep nobody out"),
        (("client", "portail", "--author", "<b>"), "--author must be at most 100 letters"),
    ],
)
def test_what_cannot_be_meant_is_refused(paravent: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    """Exit code 2, a sentence, and nothing in the list."""
    told = paravent("revoke", *words)
    assert told.exit_code == 2
    assert said in told.output
    assert "nothing was revoked" in told.output
    assert paravent("revocations").output == "0 revoked.\n"


def test_a_software_that_nobody_knows_is_revoked_with_a_note(paravent: Callable[..., Result]) -> None:
    """It may be a slip of the keyboard, and it may be another machine's configuration: nobody is let in meanwhile."""
    told = paravent("revoke", "client", "portial", *SAID)
    assert told.stdout == "client:portial is revoked.\n"
    assert told.stderr == "note: no issuer has the client 'portial'; did you mean portail?\n"
    assert paravent("revoke", "client", "portail", *SAID).stderr == ""


def records(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "audit").glob("ledger-commands-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


EACH = (
    (("practitioner", "8" + RPPS), f"practitioner:{RPPS}"),
    (("practitioner", RPPS, "--issuer", "operateur"), f"practitioner:{RPPS}@operateur"),
    (("client", "portail"), "client:portail"),
    (("token", "0f1e2d3c4b5a6978"), "token:0f1e2d3c4b5a6978"),
    (("session", "login-1", "--issuer", "operateur"), f"session:{name_of(ISSUER, 'login-1')}"),
    (("certificate", "ab" * 32), f"certificate:{'ab' * 32}"),
    (("key", "k1", "--issuer", "operateur"), "key:operateur/k1"),
)


@pytest.mark.parametrize(("words", "mark"), EACH, ids=[mark.partition(":")[0] for _, mark in EACH])
def test_what_is_revoked_and_lifted_is_on_record(
    paravent: Callable[..., Result], tmp_path: Path, words: tuple[str, ...], mark: str
) -> None:
    """Of each kind: by whom, why, what, as the list names it, from when and until when; and the ledger is whole."""
    until_when = ("--until", "2099-01-01T00:00:00Z", "--issued-before", "2026-01-01T00:00:00Z")
    assert paravent("revoke", *words, *until_when, *SAID).exit_code == 0
    assert paravent("revoke", *words, "--lift", "--author", "A. Exemple", "--because", "ticket 4712").exit_code == 0
    revoked, lifted = records(tmp_path)
    assert [each["reason"] for each in (revoked, lifted)] == ["revoke", "lift"]
    assert {each["practitioner"] for each in (revoked, lifted)} == {RPPS if words[0] == "practitioner" else None}
    told = revoked["command"]
    assert told == {
        "author": "J. Essai",
        "because": "ticket 4711",
        "mark": mark,
        "persons": 0,
        "from": revoked["at"],
        "until": "2099-01-01T00:00:00.000Z",
        "issued_before": "2026-01-01T00:00:00.000Z",
    }
    assert lifted["command"] == told | {"author": "A. Exemple", "because": "ticket 4712", "from": lifted["at"]}
    verified = paravent("audit", "verify")
    assert (verified.exit_code, "2 records" in verified.output) == (0, True)


def test_who_says_nothing_is_told_so_and_revokes_all_the_same(paravent: Callable[..., Result], tmp_path: Path) -> None:
    """In an emergency, and by scripts of before. It is on record, and the record says that nobody said."""
    told = paravent("revoke", "client", "portail")
    assert (told.exit_code, told.stdout) == (0, "client:portail is revoked.\n")
    assert "--author and --reason" in told.stderr
    (made,) = records(tmp_path)
    assert (made["command"]["author"], made["command"]["because"], made["command"]["until"]) == ("", "", None)


def test_what_was_not_done_is_not_on_record(paravent: Callable[..., Result], tmp_path: Path) -> None:
    """What was not revoked cannot be lifted; and the state store cannot be told."""
    assert "nothing was changed" in paravent("revoke", "client", "portail", "--lift", *SAID).output
    (tmp_path / "state.db").unlink()
    assert paravent("revoke", "client", "portail", *SAID).exit_code == 1
    assert records(tmp_path) == []


def test_a_ledger_that_cannot_be_written_keeps_somebody_out_and_lets_nobody_in(
    paravent: Callable[..., Result], tmp_path: Path
) -> None:
    """A folder stands where its lock should be: revoked, and said to be on no record; and not lifted."""
    (tmp_path / "audit" / ".ledger-commands.lock").mkdir(parents=True)
    for words in ((), ("--lift",)):
        told = paravent("revoke", "client", "portail", *words, *SAID)
        assert (told.exit_code, "could not be put on record" in told.output) == (1, True)
        assert paravent("revocations").output.endswith("1 revoked.\n")


def test_a_store_that_stops_answering_is_not_said_to_be_unchanged(
    paravent: Callable[..., Result], tmp_path: Path
) -> None:
    """It can be read, and somebody holds it against writing: what was sent may have arrived, and is on record."""
    assert paravent("revoke", "client", "portail", *SAID).exit_code == 0
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for words in (("key", "k1", "--issuer", "operateur"), ("client", "portail", "--lift")):
            told = paravent("revoke", *words, *SAID)
            assert (told.exit_code, "it may have been told. The command is on record" in told.output) == (1, True)
    assert [each["reason"] for each in records(tmp_path)] == ["revoke", "revoke", "lift"]


@pytest.mark.parametrize(
    ("mark", "written"),
    [
        ("client:2840599990001", "client:other"),
        ("key:operateur/eyJhbGciOi", "key:operateur/other"),
        ("key:operateur/2840599990001", "key:operateur/other"),
        (f"practitioner:{RPPS}@2840599990001", f"practitioner:{RPPS}@other"),
        ("token:secret", "token:other"),
        ("nothing", "other"),
    ],
)
def test_a_mark_that_could_hold_what_the_ledger_may_not_is_not_written(mark: str, written: str) -> None:
    """The last net: nobody's NIR, no token; what it was of stands there all the same."""
    made = revocation_record("0" * 32, 0, "revoke", Revocation(mark), "J. Essai", "ticket 4711")
    assert made["command"]["mark"] == written  # type: ignore[index]


def test_no_state_store_is_said(tmp_path: Path) -> None:
    """Nobody may believe that somebody is revoked who is not: exit code 1."""
    config = make_folder(tmp_path, 9).config
    for words in (("revoke", "client", "portail"), ("revoke", "client", "portail", "--lift"), ("revocations",)):
        told = CliRunner().invoke(main, [*words, "--config", str(config)])
        assert told.exit_code == 1, words
        assert "The state store did not answer" in told.output


async def test_a_running_node_refuses_from_then_on(tmp_path: Path) -> None:
    """A practitioner who has just been served is refused without a restart, the upstream is not asked, the ledger says
    why; and once it is lifted, they are served again."""
    async with raw_upstream(ANSWER) as upstream, running_node(tmp_path, upstream.port) as node:
        assert (await node.ask())[0] == 200
        CliRunner().invoke(main, ["revoke", "practitioner", "8" + RPPS, "--config", str(node.sandbox.config)])
        revocations = node.node.runtime._revocations
        await until(lambda: revocations.entries()["state"] == 1)
        asked = len(upstream.requests)
        status, headers, _ = await node.ask()
        assert (status, headers[b"www-authenticate"][:27]) == (401, b'DPoP error="invalid_token",')
        assert len(upstream.requests) == asked
        assert [each["reason"] for each in node.records() if each["decision"] == "deny"] == ["practitioner_revoked"]
        assert node.metric("paravent_revocations_entries", source="state") == 1
        CliRunner().invoke(main, ["revoke", "practitioner", RPPS, "--lift", "--config", str(node.sandbox.config)])
        await until(lambda: revocations.entries()["state"] == 0)
        assert (await node.ask())[0] == 200


def test_check_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    """Before the start, with its place; and `serve` would refuse to start with it."""
    config = make_folder(tmp_path, 9).config
    config.write_text(config.read_text() + '[revocation]\nfile = "revoked.yaml"\n')
    (tmp_path / "revoked.yaml").write_text("- client: portail\n- token: x\n")
    told = CliRunner().invoke(main, ["check", "--config", str(config)])
    assert told.exit_code == 2
    assert "revoked.yaml:2:3: token must be 16 hexadecimal characters" in told.output
    with pytest.raises(InvalidFiles):
        build(load_settings(config, {}))
    (tmp_path / "revoked.yaml").write_text("")
    assert CliRunner().invoke(main, ["check", "--config", str(config)]).exit_code == 0
