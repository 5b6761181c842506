"""The outward contract, sentence by sentence, by somebody who has read nothing else: configuration, start and end.

Nothing of the project is imported: `outsider` makes keys, tokens, certificates and an upstream with public libraries,
writes the configuration as the contract prints it, and runs `paravent`.
"""

import http.client
import json
import re
import shutil
import signal
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from outsider import PRINTED, Site, new_rpps, serving, site
from outsider_checks import listening, refused, wait_for
from outsider_keys import certificate, jwk, write_pair
from outsider_upstream import SLOW, upstream

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("contract")]


class TestConfiguration:
    """The file as the contract prints it, and what may be changed in it."""

    def test_the_smallest_deployment_as_it_is_printed(self, tmp_path: Path) -> None:
        """Not a character changed; the ports of this test come from the environment, which overrides every key."""
        with site(tmp_path) as made:
            made.config.write_text(PRINTED)
            made.environment = {
                "PARAVENT_LISTEN_ADDRESS": f"127.0.0.1:{made.port}",
                "PARAVENT_METRICS_ADDRESS": f"127.0.0.1:{made.management}",
                "PARAVENT_UPSTREAM_URL": f"http://127.0.0.1:{made.upstream.server_port}",
            }
            assert made.command("check", "--config", str(made.config)).returncode == 0
            made.start(cwd="/")
            assert made.ask().status == 200
            assert [made.scrape(path)[0] for path in ("/metrics", "/healthz", "/readyz")] == [200, 200, 200]
            assert made.stop() == 0
            assert len(made.said) == 1, "prints one line when ready"
            # "Relative paths are relative to the file": everything is beside it, and nothing where it was started.
            assert {"state.db", "audit"} <= {path.name for path in tmp_path.iterdir()}

    def test_behind_a_tls_front_proxy(self, tmp_path: Path) -> None:
        """plaintext_from, instead of certificate and key; the DPoP address stays the external one."""
        with site(tmp_path) as made:
            behind(made, "127.0.0.1/32")
            made.start()
            assert made.ask().status == 200

    def test_plaintext_from_somebody_else_is_not_spoken(self, tmp_path: Path) -> None:
        """Who is not the front proxy gets no HTTP at all."""
        with site(tmp_path) as made:
            behind(made, "192.0.2.1/32")
            made.start()
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                made.ask()
            assert made.asked == []

    def test_upstream_and_key_set_over_https(self, tmp_path: Path) -> None:
        """`https:// needs ca`, for both: with the right authority they serve, with another one they do not."""
        with site(tmp_path) as made:
            authority = certificate("another authority")
            write_pair(tmp_path, "behind", certificate("behind", authority))
            (tmp_path / "upstream-ca.pem").write_bytes(authority[0].public_bytes(Encoding.PEM))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tmp_path / "behind.pem", tmp_path / "behind.key")
            with upstream(context) as there:
                there.RequestHandlerClass.keys.append(jwk("ES256", made.issuer_key, kid="k1"))  # type: ignore[attr-defined]
                url = f"https://127.0.0.1:{there.server_port}"
                made.change(
                    (f"http://127.0.0.1:{made.upstream.server_port}", url), ('"jwks.json"', f'"{url}/jwks.json"')
                )
                done = made.serve()
                assert (done.returncode, done.stderr.count("needs ca")) == (2, 2)
                made.environment = {
                    "PARAVENT_UPSTREAM_CA": "upstream-ca.pem",
                    "PARAVENT_ISSUERS_OPERATEUR_CA": "upstream-ca.pem",
                }
                made.start()
                assert made.ask().status == 200
                made.stop()
                made.environment |= {"PARAVENT_UPSTREAM_CA": "clients.pem"}
                made.start()
                refused(made.ask(), 502, "answer_withheld")

    def test_without_any_key_set_yet_the_answer_is_503(self, tmp_path: Path) -> None:
        """The issuer's key server is down at the start: not ready, 503 and no login page."""
        with site(tmp_path) as made:
            made.change(('"jwks.json"', '"https://127.0.0.1:1/jwks.json"'), ("[state]", 'ca = "clients.pem"\n[state]'))
            made.start(until=lambda site: listening(site) and checks(site)["canary"])
            assert made.scrape("/readyz")[0] == 503
            assert {name for name, well in checks(made).items() if not well} == {"keys.operateur"}
            refused(made.ask(), 503, "unavailable")

    @pytest.mark.parametrize(
        ("text", "good"),
        [
            ("0123456789abcdef" * 4, True),
            ("0123456789ABCDEF" * 4 + "\r\n", True),
            ("0123456789abcdef" * 3, False),
            ("0123456789abcdeg" * 4, False),
            ("0123456789abcdef" * 8, False),
        ],
    )
    def test_key_file_holds_64_hexadecimal_characters(self, tmp_path: Path, text: str, good: bool) -> None:
        """In either case, with a line end or none; nothing else."""
        with site(tmp_path) as made:
            (tmp_path / "audit.key").write_text(text)
            done = made.command("check", "--config", str(made.config))
            assert done.returncode == (0 if good else 2)
            assert good or "key_file" in done.stderr
            assert text not in done.stderr + done.stdout

    def test_exit_2_with_all_problems_listed(self, tmp_path: Path) -> None:
        """Five mistakes in the configuration are five lines; nothing on standard output, nothing made on disk."""
        with site(tmp_path) as made:
            made.change(
                ('external_origin = "https://droits.example"', 'external_origin = "droits.example"'),
                ('certificate = "server.pem"', 'certificate = "nowhere.pem"'),
                ('clients = ["portail"]', 'client = ["portail"]'),
                ("sqlite:state.db", "mysql://state"),
            )
            (tmp_path / "audit.key").write_text("secret")
            done = made.serve()
            assert (done.returncode, done.stdout) == (2, "")
            for word in ("external_origin", "nowhere.pem", "client ", "clients", "sqlite", "key_file"):
                assert word in done.stderr, word
            assert "secret" not in done.stderr
            assert "Traceback" not in done.stderr
            assert not {"state.db", "audit"} & {path.name for path in tmp_path.iterdir()}

    def test_exit_2_with_every_problem_of_the_policy(self, tmp_path: Path) -> None:
        """Two broken files are two places."""
        with site(tmp_path) as made:
            (tmp_path / "policies/quotas.yaml").write_text("quotas: nothing\n")
            (tmp_path / "policies/assurance.yaml").write_text("levels: [\n")
            done = made.serve()
            assert (done.returncode, done.stdout) == (2, "")
            assert {"quotas.yaml", "assurance.yaml"} <= set(re.findall(r"(?m)^[a-z/]+\.yaml", done.stderr))

    def test_every_line_of_it_is_needed_but_the_optional_one(self, tmp_path: Path) -> None:
        """Without client_ca it is good; without any of the others it is not, and all are named."""
        with site(tmp_path) as made:
            whole = made.config.read_text()
            lines = [line for line in whole.splitlines() if re.match("[a-z_]+ = ", line)]
            made.config.write_text("\n".join(line for line in whole.splitlines() if not line.startswith("client_ca")))
            assert made.command("check", "--config", str(made.config)).returncode == 0
            made.config.write_text("\n".join(line for line in whole.splitlines() if line not in lines))
            done = made.command("check", "--config", str(made.config), "--json")
            assert done.returncode == 2
            said = [problem["message"].split()[0] for problem in json.loads(done.stdout)["problems"]]
            needed = [line.split()[0] for line in lines]
            for name in set(needed) - {"client_ca", "certificate", "key"}:
                assert said.count(name) == needed.count(name), name
            assert any("certificate and key" in problem["message"] for problem in json.loads(done.stdout)["problems"])

    def test_what_this_version_does_not_have_is_said(self, tmp_path: Path) -> None:
        """What the contract names in passing and is not there is refused by name, not misunderstood."""
        with site(tmp_path) as made:
            made.change(('path = "audit"', 'path = "audit"\ncheckpoint = "head"'))
            done = made.serve()
            assert (done.returncode, done.stderr.count("not available in this version")) == (2, 1)

    def test_the_other_profile(self, tmp_path: Path) -> None:
        """ "pro-sante-connect" is good, and told of a software whose unbound tokens nothing binds."""
        with site(tmp_path) as made:
            made.change(('"rfc9068"', '"pro-sante-connect"'))
            done = made.command("check", "--config", str(made.config))
            assert done.returncode == 0
            assert "client_certificates" in done.stderr

    def test_the_policy_folder_works_wherever_it_is_copied(self, tmp_path: Path) -> None:
        """Moved and renamed, named by a path from the file, by an absolute one, or by a link."""
        with site(tmp_path / "site") as made:
            shutil.move(tmp_path / "site/policies", tmp_path / "Ma politique")
            (tmp_path / "link").symlink_to("Ma politique")
            for path in (str(tmp_path / "Ma politique"), "../link"):
                made.environment = {"PARAVENT_POLICY_PATH": path}
                assert made.command("check", "--config", str(made.config)).returncode == 0
            made.environment = {"PARAVENT_POLICY_PATH": "../Ma politique"}
            made.start()
            assert made.ask().status == 200


def checks(made: Site) -> dict[str, bool]:
    """What /readyz says of each part."""
    said: dict[str, bool] = json.loads(made.scrape("/readyz")[1])["checks"]
    return said


def behind(made: Site, front_proxy: str) -> None:
    """The other variant of [listen]: TLS ends in front of us."""
    lines = made.config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("certificate", "key =", "client_ca"))]
    text = "\n".join(kept).replace('# plaintext_from = ["127.0.0.1/32"]', f'plaintext_from = ["{front_proxy}"]')
    made.config.write_text(text)
    made.tls = None


def test_sigterm_drains(tmp_path: Path) -> None:
    """What was asked is answered, nobody new is let in, the exit code is 0, and the ledger is whole."""
    with serving(tmp_path) as made, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(made.ask, SLOW)
        wait_for(lambda: len(made.asked) == 1)
        assert made.process is not None
        process = made.process
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: not listening(made))
        made.upstream.RequestHandlerClass.let_go.set()  # type: ignore[attr-defined]
        assert slow.result().status == 200
        assert process.wait(15) == 0
        assert made.verify() == 0


def test_kill_loses_no_charge_and_no_acknowledged_record(tmp_path: Path) -> None:
    """Eight opticians ask as fast as they can when the process is killed; then they go on with what is left.

    An optician has ten persons in ten minutes. Nobody got more, before and after together; every answer is on record.
    """
    with serving(tmp_path) as made:
        opticians = [new_rpps() for _ in range(8)]
        got: dict[str, list[int]] = {rpps: [] for rpps in opticians}
        left: dict[str, int] = dict.fromkeys(opticians, 0)

        def work(rpps: str, persons: range) -> None:
            for number in persons:
                try:
                    answer = made.ask(number, rpps=rpps, profession="28")
                except Exception:
                    left[rpps] += 1
                    return
                if answer.status == 200:
                    got[rpps].append(number)

        with ThreadPoolExecutor(8) as pool:
            for rpps in opticians:
                pool.submit(work, rpps, range(100, 120))
            wait_for(lambda: sum(map(len, got.values())) >= 20)
            made.stop(signal.SIGKILL)
        assert sum(left.values()) > 0, "it was killed while somebody asked"
        assert made.verify() == 0, "what was written is whole"
        released = {record["id"] for record in made.ledger() if record.get("decision") == "release"}
        assert len(released) >= sum(map(len, got.values()))

        made.start()
        before = {rpps: len(numbers) for rpps, numbers in got.items()}
        with ThreadPoolExecutor(8) as pool:
            for rpps in opticians:
                pool.submit(work, rpps, range(200, 212))
        for rpps in opticians:
            assert len(got[rpps]) <= 10, "no charge was lost"
            assert len(got[rpps]) >= 10 - left[rpps], "and none was made up"
            assert before[rpps] <= 10
        made.stop()
        assert made.verify() == 0
