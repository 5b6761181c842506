"""`paravent serve` as an operator and a portal meet it: real processes, real sockets, the sandbox behind."""

import base64
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from paravent.sandbox.tokens import Wish
from stack import Stack, population, running_stack, sandbox_hits

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("serve")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("serve")) as running:
        yield running


def paravent(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "paravent.cli", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False, env=environment)


def ledger(stack: Stack) -> list[dict[str, Any]]:
    files = sorted((stack.folder / "audit").glob("ledger-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


class TestAnswers:
    """One running node."""

    def test_a_pharmacist_gets_what_one_dispensation_needs(self, stack: Stack) -> None:
        """The name, the scheme and the routing, for the person asked about; nothing that contract.md excludes."""
        reply = stack.consult(stack.login(), 12)
        assert reply.status == 200
        text = reply.body.decode()
        for never in (
            "famille",
            "numeroContrat",
            "adresse",
            'medecinTraitant"',
            "codeALD",
            "lieuNaissance",
            "referenceInterne",
            "commentaire",
            "insMatricule",
            "cleNIR",
        ):
            assert f'"{never}' not in text
        who = population().person(12)
        assert reply.json()["beneficiaireDeSoins"]["prenom"] == who.first_name

    def test_an_optician_gets_the_amount_of_a_quote(self, stack: Stack) -> None:
        """Amount, reference and whom it is for; of the contract, on which everybody of the family stands, nothing."""
        who = next(one for one in map(population().person, range(100)) if population().cards_of(one.family))
        quote = {
            "immatriculation": who.nir,
            "dateNaissance": who.birth_date,
            "rangGemellaire": who.birth_rank,
            "domaine": "OPTI",
            "actes": [{"code": "2212345", "montantCentimes": 10000}],
        }
        optician = stack.login("28", serial=34)
        reply = stack.call("POST", "/v1/prises-en-charge", optician, quote)
        assert reply.status == 200
        assert reply.json().keys() == {"accord", "referenceAccord", "montantAMCCentimes", "validite", "beneficiaire"}
        assert reply.json()["beneficiaire"] == {
            "nomUsuel": who.surname,
            "prenom": who.first_name,
            "dateNaissance": who.birth_date,
            "noNIRCertifie": who.nir,
        }
        for changes in ({"page": 2}, {"domaine": "HOSP"}, {"actes": []}):
            refused = stack.call("POST", "/v1/prises-en-charge", optician, quote | changes)
            assert (refused.status, refused.problem) == (400, "malformed_request")

    def test_two_logins_of_one_practitioner_share_one_budget(self, stack: Stack) -> None:
        """The budget belongs to the RPPS, not to the token, the key or the connection."""
        replies = [stack.consult(stack.login(serial=31), 100 + n) for n in range(21)]
        assert [reply.status for reply in replies] == [200] * 20 + [429]
        assert int(replies[-1].headers["retry-after"]) >= 1
        assert replies[-1].problem == "budget_spent"

    def test_a_password_is_not_enough(self, stack: Stack) -> None:
        """401 with the RFC 9470 challenge that says what would be, and the upstream is not asked."""
        before = sandbox_hits(stack)["hits"]
        reply = stack.consult(stack.login(serial=32, acr="eidas1", amr=("pwd",)), 12)
        assert (reply.status, reply.problem) == (401, "authentication_too_weak")
        challenge = reply.headers["www-authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge
        assert 'acr_values="eidas2 eidas3"' in challenge
        assert 'max_age="14400"' in challenge
        assert sandbox_hits(stack)["hits"] == before

    def test_no_token_is_asked_for_one(self, stack: Stack) -> None:
        """401 with a bare challenge."""
        reply = stack.call("GET", "/v1/compte")
        assert (reply.status, reply.problem) == (401, "token_refused")
        assert reply.headers["www-authenticate"].startswith("DPoP ")

    def test_a_token_bound_to_a_certificate_needs_that_certificate(self, stack: Stack) -> None:
        """RFC 8705: with the certificate answered, with another or none refused."""
        mine, other = stack.certificate("portail"), stack.certificate("autre")
        leaf = x509.load_pem_x509_certificate(mine.certificate.read_bytes()).public_bytes(Encoding.DER)
        x5t = base64.urlsafe_b64encode(hashlib.sha256(leaf).digest()).rstrip(b"=").decode()
        import time

        token = stack.mint.mint(Wish(rpps="99900000331", x5t_s256=x5t), int(time.time()))
        bearer = [("Authorization", f"Bearer {token}")]
        assert stack.call("GET", "/v1/compte", headers=bearer, tls=stack.tls_with(mine)).status == 200
        for tls in (stack.tls_with(other), None):
            refused = stack.call("GET", "/v1/compte", headers=bearer, tls=tls)
            assert (refused.status, refused.problem) == (401, "proof_refused")

    def test_a_stolen_dpop_token_is_worthless_as_bearer(self, stack: Stack) -> None:
        """Without the key, the token alone opens nothing."""
        token = stack.login(serial=33).token.reveal()
        reply = stack.call("GET", "/v1/compte", headers=[("Authorization", f"Bearer {token}")])
        assert (reply.status, reply.problem) == (401, "proof_refused")

    def test_what_the_policy_does_not_name_is_refused(self, stack: Stack) -> None:
        """The bulk export exists behind, and not here."""
        reply = stack.call("POST", "/v1/exports", stack.login(serial=34), {})
        assert (reply.status, reply.problem) == (403, "not_allowed")

    def test_an_unknown_person_and_a_wrong_birth_date_look_the_same(self, stack: Stack) -> None:
        """404, the same body but for its reference."""
        login = stack.login(serial=35)
        unknown = stack.consult(login, 12, immatriculation="1990799990999", dateNaissance="19990701")
        wrong = stack.consult(login, 12, dateNaissance="19000101")
        assert (unknown.status, wrong.status) == (404, 404)
        bodies = [{**reply.json(), "reference": ""} for reply in (unknown, wrong)]
        assert bodies[0] == bodies[1]
        assert {name: value for name, value in unknown.headers.items() if name != "date"} == dict(wrong.headers)

    def test_problems_speak_the_callers_language(self, stack: Stack) -> None:
        """French unless English is preferred."""
        french = stack.call("GET", "/v1/compte")
        english = stack.call("GET", "/v1/compte", headers=[("Accept-Language", "en-GB,en;q=0.9,fr;q=0.1")])
        assert french.headers["content-language"] == "fr"
        assert english.headers["content-language"] == "en"
        assert english.json()["title"] == "The access token was not accepted"

    def test_every_decision_is_on_record_without_naming_a_person(self, stack: Stack) -> None:
        """One record a reply, found by the reply's reference; no NIR, name or token in the ledger."""
        reply = stack.consult(stack.login(serial=36, acr="eidas1"), 12)
        records = ledger(stack)
        (record,) = [each for each in records if each["id"] == reply.json()["reference"]]
        assert (record["decision"], record["reason"], record["status"]) == ("deny", "assurance_too_low", 401)
        text = json.dumps(records)
        who = population().person(12)
        for secret in (who.nir, who.surname, "eyJ", "/v1/"):
            assert secret not in text
        assert paravent("audit", "verify", "--config", str(stack.config), cwd=stack.folder).returncode == 0

    def test_the_upstream_learns_who_asks_from_us(self, stack: Stack) -> None:
        """The account is the practitioner's own, by our assertion, never by the caller's token."""
        reply = stack.call("GET", "/v1/compte", stack.login(serial=37))
        assert reply.status == 200
        assert reply.json().keys() == {"raisonSociale", "finess"}

    def test_plain_http_on_the_tls_port_gets_no_http(self, stack: Stack) -> None:
        """Not even an error page."""
        port = int(stack.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            try:
                while chunk := plain.recv(4096):
                    received += chunk
            except ConnectionError:
                pass
        assert b"HTTP" not in received

    def test_only_http_1_1_is_negotiated(self, stack: Stack) -> None:
        """An h2-capable client is served over http/1.1."""
        stack.tls.set_alpn_protocols(["h2", "http/1.1"])
        port = int(stack.url.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
            stack.tls.wrap_socket(raw, server_hostname="localhost") as wrapped,
        ):
            assert isinstance(wrapped, ssl.SSLSocket)
            assert wrapped.selected_alpn_protocol() == "http/1.1"


def test_a_kill_loses_no_charge_and_no_record(tmp_path: Path) -> None:
    """kill -9 in the middle of the day: the budget goes on where it was, and the ledger is whole."""
    with running_stack(tmp_path) as stack:
        login = stack.login()
        for person in range(12):
            assert stack.consult(login, 12 + person * 10).status == 200
        before = ledger(stack)
        stack.kill()
        stack.start()
        replies = [stack.consult(stack.login(), 500 + n * 10).status for n in range(9)]
        assert replies == [200] * 8 + [429]
        assert ledger(stack)[: len(before)] == before
        assert paravent("audit", "verify", "--config", str(stack.config), cwd=tmp_path).returncode == 0


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Readiness goes, the process ends by itself with exit code 0."""
    with running_stack(tmp_path) as stack:
        assert stack.proxy is not None
        process = stack.proxy.process
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def test_a_policy_edit_is_in_force_without_a_restart_and_usage_stays(tmp_path: Path) -> None:
    """A raised limit counts what was used before; a broken edit changes nothing."""
    with running_stack(tmp_path) as stack:
        quotas = stack.policies / "quotas.yaml"
        good = quotas.read_text()
        login = stack.login()
        for person in range(20):
            assert stack.consult(login, 12 + person * 10).status == 200
        assert stack.consult(login, 12).status == 429

        quotas.write_text("quotas: broken\n")
        stack.parts.wait(stack.proxy, lambda: b'"policy": false' in stack.scrape("/readyz")[1])
        assert stack.consult(stack.login(serial=1), 12).status == 200

        quotas.write_text(good.replace("{limit: 20, per: 10s}", "{limit: 40, per: 10s}", 1))
        stack.parts.wait(stack.proxy, lambda: b'"policy": true' in stack.scrape("/readyz")[1])
        assert stack.consult(login, 12).status == 200


class TestBadInput:
    """One list of all problems with file, line and hint, exit code 2, nothing started."""

    def test_every_problem_of_configuration_is_listed_at_once(self, tmp_path: Path) -> None:
        """Unknown key, missing key, unreadable key file, bad port: four problems, four places, one run."""
        with running_stack(tmp_path, upstream="http://127.0.0.1:9", start=False) as stack:
            text = stack.config.read_text()
            text = text.replace('key_file = "audit.key"', 'key_file = "absent.key"')
            text = text.replace('issuer = "https://as.example"\n', "")
            text = text.replace('url = "sqlite:state.db"', 'url = "sqlite:state.db"\nurll = 1')
            text = text.replace('address = "127.0.0.1:0"\n\n[policy]', 'address = "127.0.0.1:99999"\n\n[policy]')
            stack.config.write_text(text)
            done = paravent("serve", "--config", "paravent.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert done.stdout == ""
        for expected in ("absent.key", "urll", "issuer", "65535", "nothing was started"):
            assert expected in done.stderr
        places = [line for line in done.stderr.splitlines() if line.startswith("paravent.toml:")]
        assert len(places) == 4
        assert not (tmp_path / "state.db").exists()

    def test_a_broken_policy_starts_nothing(self, tmp_path: Path) -> None:
        """The places are those of the policy's files."""
        with running_stack(tmp_path, upstream="http://127.0.0.1:9", start=False) as stack:
            quotas = stack.policies / "quotas.yaml"
            quotas.write_text(quotas.read_text().replace("limit: 60", "limit: 0").replace("per: 1h", "per: soon"))
            done = paravent("serve", "--config", "paravent.toml", cwd=tmp_path)
            checked = paravent("check", "--config", "paravent.toml", "--json", cwd=tmp_path)
        assert done.returncode == 2
        assert "quotas.yaml:" in done.stderr
        assert checked.returncode == 2
        problems = json.loads(checked.stdout)["problems"]
        assert {each["file"] for each in problems} == {"quotas.yaml"}
        assert len(problems) >= 2
        assert all(each["line"] > 0 for each in problems)

    @pytest.mark.parametrize("which", ["listen.address", "metrics.address"])
    def test_a_port_in_use_is_named(self, tmp_path: Path, which: str) -> None:
        """Which key, which port; exit code 2."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with running_stack(tmp_path, upstream="http://127.0.0.1:9", start=False) as stack:
                section, _, rest = stack.config.read_text().partition("[metrics]")
                old, new = 'address = "127.0.0.1:0"', f'address = "127.0.0.1:{port}"'
                if which == "listen.address":
                    section = section.replace(old, new)
                else:
                    rest = rest.replace(old, new)
                stack.config.write_text(f"{section}[metrics]{rest}")
                done = paravent("serve", "--config", "paravent.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert f"{which}: port {port} on 127.0.0.1 is in use" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("names", [["SSLKEYLOGFILE"], ["MITMPROXY_SSLKEYLOGFILE", "SSLKEYLOGFILE"]])
    @pytest.mark.parametrize("verb", ["serve", "check"])
    def test_session_keys_are_written_nowhere(self, tmp_path: Path, verb: str, names: list[str]) -> None:
        """A variable that asks for that refuses the start: its name, why, what to do, exit code 2, and no file."""
        keys = tmp_path / "keys.log"
        with running_stack(tmp_path, upstream="http://127.0.0.1:9", start=False):
            variables = dict.fromkeys(names, str(keys))
            done = paravent(verb, "--config", "paravent.toml", cwd=tmp_path, **variables)
        assert done.returncode == 2
        for name in names:
            assert f"{name}: makes TLS libraries write the keys of every connection to a file" in done.stderr
        assert f"{len(names)} problem" in done.stderr
        assert (done.stdout, keys.exists()) == ("", False)

    def test_an_empty_variable_asks_for_nothing(self, tmp_path: Path) -> None:
        """`SSLKEYLOGFILE=` is how a unit file takes one back."""
        with running_stack(tmp_path, upstream="http://127.0.0.1:9", start=False):
            done = paravent("check", "--config", "paravent.toml", cwd=tmp_path, SSLKEYLOGFILE="")
        assert done.returncode == 0, done.stderr

    def test_a_configuration_that_is_not_there(self, tmp_path: Path) -> None:
        """Said in one sentence."""
        done = paravent("serve", "--config", "nowhere.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert "nowhere.toml" in done.stderr
        assert "Traceback" not in done.stderr
