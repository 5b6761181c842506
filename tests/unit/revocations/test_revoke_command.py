"""`paravent revoke` and `paravent revocations`, and a node that serves from the same state store."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answers import ANSWER
from node import make_folder, running_node
from paravent.cli import main
from paravent.problems import InvalidFiles
from paravent.settings import load_settings
from paravent.stores.sqlite import SqliteLedger
from paravent.wiring import build
from tokens import RPPS
from until import until
from wire import raw_upstream


@pytest.fixture
def paravent(tmp_path: Path) -> Callable[..., Result]:
    """The command line, on a configuration whose state store exists."""
    config = make_folder(tmp_path, 9).config
    SqliteLedger.open(load_settings(config, {}).state.path).close()
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(config)])


def test_revoke_list_lift(paravent: Callable[..., Result]) -> None:
    """The three things there are to do, as they are shown."""
    revoked = paravent("revoke", "practitioner", RPPS, "--until", "2099-01-01T00:00:00Z", "--because", "ticket 4711")
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
    assert paravent("revoke", "client", "portail", "--lift").output == "client:portail is lifted.\n"
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
    ],
)
def test_what_cannot_be_meant_is_refused(paravent: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    """Exit code 2, a sentence, and nothing in the list."""
    told = paravent("revoke", *words)
    assert told.exit_code == 2
    assert said in told.output
    assert "nothing was revoked" in told.output
    assert paravent("revocations").output == "0 revoked.\n"


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
        assert node.records()[-1]["reason"] == "practitioner_revoked"
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
