"""The clients of the demo against real sockets: what they send, how they judge, when they stop."""

import itertools
import ssl
from pathlib import Path

import orjson
import pytest

from canned_server import canned
from paravent.cli.demo import find_policies
from paravent.model import Secret
from paravent.sandbox.proofs import DpopKey
from paravent.simulate.answers import Question
from paravent.simulate.attack import BARREN_S, Row, Target, attack
from paravent.simulate.certificates import Authority
from paravent.simulate.client import Caller, Login
from paravent.simulate.clock import ReplayClock
from paravent.simulate.day import Event, Kind, Till, truths
from paravent.simulate.processes import PartFailed, Parts, answers, free_ports, listens

ANNE = Question("2500175990001", "19500101", 1)
FULL = {
    "infosGlobales": {"codeRegime": "01", "codeCaisse": "759", "codeCentre": "0001"},
    "beneficiaireDeSoins": {"nomUsuel": "ESSAI", "prenom": "ANNE", "dateNaissance": "19500101", "rangGemellaire": 1},
    "famille": [{"prenom": "PAUL"}],
}
REDUCED = FULL | {"famille": []}
WITHOUT_FUND = REDUCED | {"infosGlobales": {}}
DAY_MS = 1_767_254_400_000


def document(of: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, orjson.dumps(of)


# ---- the connection


def test_one_connection_serves_many_questions_and_is_opened_again_when_the_server_closes_it() -> None:
    """A server may close an idle connection without a word."""
    with canned(lambda number: document([number]), per_connection=2) as origin, Caller(origin) as caller:
        assert [caller.ask(ANNE, "2026-01-01", None, 0).document() for _ in range(5)] == [[0], [1], [2], [3], [4]]


def test_an_answer_that_is_cut_off_is_no_answer() -> None:
    """Half a document would be counted as half the truth."""
    with (
        canned(lambda _: (200, {"Content-Length": "50"}, b"{}"), per_connection=1) as origin,
        Caller(origin) as caller,
        pytest.raises(ConnectionError),
    ):
        caller.ask(ANNE, "2026-01-01", None, 0)


def test_a_server_that_is_not_there_is_an_error() -> None:
    """Not an empty answer."""
    (port,) = free_ports(1)
    with Caller(f"http://127.0.0.1:{port}") as caller, pytest.raises(OSError, match="refused"):
        caller.ask(ANNE, "2026-01-01", None, 0)


def test_every_question_has_its_own_proof() -> None:
    """RFC 9449: a proof is for one request."""
    login = Login(Secret("token"), DpopKey.generate())
    first, second = (login.headers("https://localhost/v1", 0) for _ in range(2))
    assert first["Authorization"] == second["Authorization"] == "DPoP token"
    assert first["DPoP"] != second["DPoP"]


def test_a_reply_and_a_login_do_not_print_what_they_hold() -> None:
    """A traceback of the demo must not show a token or a person."""
    login = Login(Secret("token-text"), DpopKey.generate())
    with canned(lambda _: document(FULL)) as origin, Caller(origin) as caller:
        reply = caller.ask(ANNE, "2026-01-01", None, 0)
    assert "token-text" not in repr(login)
    assert "ESSAI" not in repr(reply)


# ---- the honest day


def lived(event: Event, answer: tuple[int, dict[str, str], bytes], folder: Path) -> Till:
    """One event of a day, with a proxy that gives this answer, and an API that gives the full one."""
    clock = ReplayClock(folder / "clock", start_ms=DAY_MS)
    key = DpopKey.generate()
    with (
        canned(lambda _: document(FULL)) as api_origin,
        canned(lambda _: answer) as proxy_origin,
        Caller(api_origin) as api,
        Caller(proxy_origin) as proxy,
    ):
        till = Till(
            proxy, clock, lambda _now_s, _login_s: Login(Secret("token"), key), truths(api, [ANNE], "2026-01-01")
        )
        till.handle(event, DAY_MS)
    return till


@pytest.mark.parametrize(
    ("answer", "hindered", "refused"),
    [
        pytest.param(document(REDUCED), 0, 0, id="a reduced answer serves"),
        pytest.param(document(WITHOUT_FUND), 1, 0, id="an answer without the fund hinders"),
        pytest.param((404, {}, b"{}"), 1, 0, id="an unknown patient hinders"),
        pytest.param((200, {}, b"not JSON"), 1, 0, id="an answer that is not JSON hinders"),
        pytest.param((429, {}, b"{}"), 1, 1, id="a spent budget hinders, and is a refusal"),
        pytest.param((401, {}, b"{}"), 1, 1, id="a challenge hinders, and is a refusal"),
        pytest.param((503, {}, orjson.dumps(FULL)), 1, 1, id="a failure hinders whatever its body says"),
    ],
)
def test_when_a_patient_is_hindered(
    answer: tuple[int, dict[str, str], bytes], hindered: int, refused: int, tmp_path: Path
) -> None:
    """Measured against what the API itself says about the same patient."""
    figures = lived(Event(5_000, Kind.FIRST, ANNE), answer, tmp_path).figures
    assert (figures.requests, len(figures.hindered), figures.refused) == (1, hindered, refused)


def test_a_slip_that_finds_nobody_hinders_nobody(tmp_path: Path) -> None:
    """It is corrected by the next question."""
    figures = lived(Event(5_000, Kind.SLIP, ANNE), (404, {}, b"{}"), tmp_path).figures
    assert (figures.corrected, len(figures.hindered), figures.refused) == (1, 0, 0)


def test_the_clock_is_moved_to_each_event(tmp_path: Path) -> None:
    """The proxy lives the day that is replayed."""
    lived(Event(5_000, Kind.FIRST, ANNE), document(REDUCED), tmp_path)
    assert ReplayClock(tmp_path / "clock").now_ms() == DAY_MS + 5_000


def test_the_pharmacist_renews_tokens_hourly_and_logs_in_before_the_session_ends(tmp_path: Path) -> None:
    """No token older than an hour, no login older than four."""
    got: list[tuple[int, int]] = []
    key = DpopKey.generate()

    def log_in(now_s: int, login_s: int) -> Login:
        got.append((now_s, now_s - login_s))
        return Login(Secret("token"), key)

    with canned(lambda _: document(FULL)) as origin, Caller(origin) as caller:
        till = Till(caller, ReplayClock(tmp_path / "c", DAY_MS), log_in, truths(caller, [ANNE], "2026-01-01"))
        for quarter in range(40):
            till.handle(Event(quarter * 900_000, Kind.FIRST, ANNE), DAY_MS)
    assert all(later - earlier <= 3600 for (earlier, _), (later, _) in itertools.pairwise(got))
    # Asked every quarter of an hour: the last question of a login is a quarter older than the next login.
    assert all(later - earlier + age_s <= 4 * 3600 for (earlier, age_s), (later, _) in itertools.pairwise(got))
    assert sum(age_s == 0 for _, age_s in got) == 3


def test_an_api_that_does_not_know_its_own_people_stops_the_demo() -> None:
    """There would be nothing to compare with."""
    with canned(lambda _: (404, {}, b"{}")) as origin, Caller(origin) as api, pytest.raises(LookupError):
        truths(api, [ANNE], "2026-01-01")


# ---- the attack


def attacked(answer: tuple[int, dict[str, str], bytes], limit_s: float) -> Row:
    with canned(lambda _: answer) as origin:
        target = Target("api", "password", lambda: Caller(origin), (None, None))
        return attack(target, [itertools.repeat(ANNE), itertools.repeat(ANNE)], "2026-01-01", limit_s)


def test_an_attack_ends_when_every_account_is_turned_away() -> None:
    """Long before its time is over."""
    row = attacked((401, {}, b"{}"), limit_s=30)
    assert BARREN_S <= row.seconds < 15
    assert (row.dry, row.persons_exposed, row.seconds_until_dry) == (True, 0, 0.0)


def test_an_attack_that_yields_goes_on_until_it_is_stopped() -> None:
    """And is not called dry."""
    row = attacked(document(FULL), limit_s=0.3)
    assert (row.dry, row.persons_exposed) == (False, 2)
    assert row.seconds_until_dry == row.seconds >= 0.3


def test_an_attack_on_nothing_is_an_error() -> None:
    """A proxy that is down must not be printed as one that protects."""
    (port,) = free_ports(1)
    target = Target("api", "password", lambda: Caller(f"http://127.0.0.1:{port}"), (None,))
    with pytest.raises(RuntimeError, match="got no answer"):
        attack(target, [itertools.repeat(ANNE)], "2026-01-01", 0.2)


# ---- the stage


def test_a_part_that_ends_early_is_named_with_its_last_lines(tmp_path: Path) -> None:
    """Whoever reads the failure need not look for a log."""
    with Parts(tmp_path) as parts:
        part = parts.start("token issuer", "-c", "print('the port is taken'); raise SystemExit(2)")
        with pytest.raises(PartFailed, match=r"(?s)token issuer ended with exit code 2.*the port is taken"):
            parts.wait(part, lambda: False)


def test_a_part_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """The demo ends inside a minute, one way or the other."""
    with Parts(tmp_path) as parts:
        part = parts.start("proxy", "-c", "import time; time.sleep(60)")
        with pytest.raises(PartFailed, match=r"the proxy was not ready after 0\.1 s"):
            parts.wait(part, listens(free_ports(1)[0]), deadline_s=0.1)


def test_nothing_runs_any_more_after_a_failure(tmp_path: Path) -> None:
    """However the block ends."""
    parts = Parts(tmp_path)
    part = parts.start("proxy", "-c", "import time; time.sleep(60)")
    with pytest.raises(KeyboardInterrupt), parts:
        raise KeyboardInterrupt
    assert part.process.poll() is not None


def test_settings_of_the_shell_do_not_reach_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable set for a deployment must not bend the demo."""
    monkeypatch.setenv("PARAVENT_LISTEN_ADDRESS", "0.0.0.0:1")
    with Parts(tmp_path) as parts:
        part = parts.start("proxy", "-c", "import os; print([n for n in os.environ if n.startswith('PARAVENT_')])")
        part.process.wait(20)
        assert part.tail().strip() == "[]"


def test_the_nearest_policy_above_the_package_is_used(tmp_path: Path) -> None:
    """A folder that only happens to be called so is passed over; without one, the caller says what to do."""
    module = tmp_path / "checkout" / "proxy" / "paravent" / "cli" / "demo.py"
    (tmp_path / "checkout" / "proxy" / "policies").mkdir(parents=True)
    assert find_policies(module) is None
    (tmp_path / "checkout" / "policies").mkdir()
    (tmp_path / "checkout" / "policies" / "vocabulary.yaml").touch()
    assert find_policies(module) == tmp_path / "checkout" / "policies"


def test_ports_differ() -> None:
    """Six parts, six ports."""
    assert len(set(free_ports(6))) == 6


def test_readiness_is_an_answer_of_200() -> None:
    """Anything else is not yet."""
    with canned(lambda _: document([])) as origin:
        assert listens(int(origin.rpartition(":")[2]))()
        assert not answers(origin)()  # this server knows no GET: 501


def test_certificates_pass_the_strict_checks_of_both_sides(tmp_path: Path) -> None:
    """A whole handshake in memory, with client certificate, X509_STRICT on both sides and the name verified."""
    authority = Authority(tmp_path)
    server_pair, client_pair = authority.server(), authority.client("practitioner")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(server_pair.certificate, server_pair.key)
    server.load_verify_locations(authority.certificate)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(authority.certificate))
    client.load_cert_chain(client_pair.certificate, client_pair.key)
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(one, other, server_hostname="localhost"),
        server.wrap_bio(other, one, server_side=True),
    ]
    done: set[int] = set()
    for number, end in itertools.islice(itertools.cycle(enumerate(ends)), 20):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        done.add(number)
    assert done == {0, 1}


def test_private_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    """The folder is private too; one lock more."""
    assert Authority(tmp_path).client("practitioner").key.stat().st_mode & 0o077 == 0
