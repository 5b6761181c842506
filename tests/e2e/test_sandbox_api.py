"""The sandbox over sockets: real processes, real HTTP, every operation once."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwk, jws, jwt

from paravent.sandbox.openapi import example
from paravent.sandbox.population import Population
from paravent.sandbox.practitioners import practitioner
from sandbox_server import COMMAND, call, serving

pytestmark = pytest.mark.real

PEOPLE = Population()
PERSON = PEOPLE.person(12_294_990)
CARD = PEOPLE.cards_of(PERSON.family)[0]
FORM = f"immatriculation={PERSON.nir}&dateNaissance={PERSON.birth_date}&rangGemellaire=1".encode()
ASKED = {"immatriculation": PERSON.nir, "dateNaissance": PERSON.birth_date, "rangGemellaire": 1}
QUOTE = json.dumps(ASKED | {"domaine": "OPTI", "actes": [{"code": "LUN", "montantCentimes": 100}]}).encode()
CONSULTATION, SOAP = example("consultation.request.json"), example("adri.request.xml")
ELIGIBILITY = example("eligibilite.request.json")
CARD_PATH = f"/v1/cartes/{CARD.amc.number}/{CARD.member}/beneficiaires"
JSON, FHIR = "application/json", "application/fhir+json"


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving("api") as base:
        yield base


@pytest.mark.parametrize(
    ("operation", "method", "target", "body", "content_type", "persons"),
    [
        ("droits.consultation", "POST", "/v1/droits/consultation", CONSULTATION, JSON, 4),
        ("beneficiaires.recherche", "POST", "/v1/beneficiaires/recherche", b'{"nom": "DURAND-TEST"}', JSON, 50),
        ("cartes.beneficiaires", "GET", CARD_PATH, None, JSON, 4),
        ("prises-en-charge.demande", "POST", "/v1/prises-en-charge", QUOTE, JSON, 4),
        ("compte.lecture", "GET", "/v1/compte", None, JSON, 0),
        ("exports.creation", "POST", "/v1/exports", b"", "text/csv; charset=utf-8", 1000),
        ("soap.adri", "POST", "/soap/adri", SOAP, "text/xml; charset=utf-8", 4),
        ("fhir.eligibilite", "POST", "/fhir/CoverageEligibilityRequest", ELIGIBILITY, FHIR, 4),
        ("fhir.couvertures", "GET", f"/fhir/Coverage?subscriber-id={CARD.member}", None, FHIR, None),
        ("portail.droits", "POST", "/portail/droits", FORM, "text/html; charset=utf-8", 4),
        ("portail.statique", "GET", "/portail/logo.svg", None, "image/svg+xml", 0),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value and "/" not in value else "",
)  # fmt: skip
def test_every_operation_answers_and_is_counted(api, operation, method, target, body, content_type, persons) -> None:
    """200, the right type, one hit under its own name, and as many persons as the body discloses."""
    before = json.loads(call(api, "GET", "/__sandbox/hits")[2])
    status, headers, content = call(api, method, target, body)
    after = json.loads(call(api, "GET", "/__sandbox/hits")[2])
    assert (status, headers["content-type"]) == (200, content_type)
    assert len(content) == int(headers["content-length"])
    counted = {name: after["operations"][name] - before["operations"][name] for name in after["operations"]}
    assert {name for name, count in counted.items() if count} == {operation}
    assert after["hits"] - before["hits"] == 1
    if persons is not None:
        assert after["persons"] - before["persons"] == persons


def test_the_answer_is_dated_now(api: str) -> None:
    """`dateReponse` is the time of the answer, with its zone; so is the Date header."""
    _, headers, body = call(api, "POST", "/v1/droits/consultation", example("consultation.request.json"))
    answered = datetime.fromisoformat(json.loads(body)["dateReponse"])
    assert abs(datetime.now(UTC) - answered) < timedelta(seconds=30)
    assert headers["date"].endswith("GMT")


def test_the_account_follows_the_assertion(api: str) -> None:
    """Two assertions, two accounts; the signature is not looked at."""
    # {"sub":"899700427885"}
    named = {"Paravent-Assertion": "e30.eyJzdWIiOiI4OTk3MDA0Mjc4ODUifQ.x"}
    first = json.loads(call(api, "GET", "/v1/compte")[2])
    second = json.loads(call(api, "GET", "/v1/compte", headers=named)[2])
    assert (first["identifiant"], second["identifiant"]) == (practitioner(0, "21").rpps, "99700427885")


def test_one_connection_serves_many_requests(api: str) -> None:
    """Keep-alive, with errors and a HEAD in between."""
    connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=10)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for method, target, body, status in (
        ("POST", "/v1/droits/consultation", b"{}", 422),
        ("GET", "/v1/inconnu", None, 404),
        ("HEAD", "/v1/compte", None, 405),
        ("GET", "/v1/compte", None, 200),
    ):
        connection.request(method, target, body)
        response = connection.getresponse()
        response.read()
        assert response.status == status
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_processes_share_port_and_counters() -> None:
    """With two processes every request is counted once, whichever answers, and both stop with the first."""
    with serving("api", "--processes", "2", "--size", "3000") as base:
        for _ in range(40):
            assert call(base, "GET", "/v1/compte")[0] == 200
        assert json.loads(call(base, "GET", "/__sandbox/hits")[2])["hits"] == 40
    with pytest.raises(ConnectionRefusedError):
        call(base, "GET", "/v1/compte")


@pytest.mark.parametrize(
    "verb", [("api",), ("issuer", "--issuer", "https://as.example", "--audience", "a")], ids=lambda v: v[0]
)
def test_a_taken_port_is_named(verb: tuple[str, ...]) -> None:
    """Exit 2, and the port in the message."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            (*COMMAND, *verb, "--port", port), capture_output=True, text=True, timeout=10, check=False
        )
    assert ended.returncode == 2
    assert f"port {port} is already in use" in ended.stderr


def test_an_address_of_another_machine_is_told_in_a_sentence() -> None:
    """Exit 2, without a traceback. 192.0.2.1 is nobody's (RFC 5737)."""
    words = (*COMMAND, "api", "--port", "0", "--host", "192.0.2.1")
    ended = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "port 0 of 192.0.2.1 cannot be listened on (" in ended.stderr


def test_it_stops_on_sigterm_with_a_connection_open() -> None:
    """An idle keep-alive connection does not hold it up."""
    process = subprocess.Popen((*COMMAND, "api", "--port", "0", "--size", "300"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    base = process.stdout.readline().split()[-1]
    with socket.create_connection(("127.0.0.1", urlsplit(base).port or 0)):
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    process.stdout.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, private


def test_it_speaks_tls(tmp_path: Path) -> None:
    """With a certificate and a key it serves HTTPS."""
    certificate, key = _certificate(tmp_path)
    with serving("api", "--size", "300", "--tls-cert", str(certificate), "--tls-key", str(key)) as base:
        assert base.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", urlsplit(base).port, context=context, timeout=10)
        connection.request("GET", "/v1/compte")
        assert connection.getresponse().status == 200
        connection.close()


def test_the_issuer_and_the_token_command(tmp_path: Path) -> None:
    """A token over HTTP verifies with the published keys after a rotation too; the command prints both headers."""
    with serving("issuer", "--issuer", "https://as.example", "--audience", "urn:paravent:droits") as base:
        status, _, body = call(base, "POST", "/token", b'{"rpps": "99921000008", "auth_age_s": 7}')
        assert status == 200
        assert json.loads(call(base, "POST", "/rotate")[2])["kid"]
        keys = jwk.KeySet.import_key_set(json.loads(call(base, "GET", "/jwks")[2]))
        claims = jwt.decode(json.loads(body)["access_token"], keys, algorithms=["ES256"]).claims
        assert claims["iat"] - claims["auth_time"] == 7
        assert abs(claims["iat"] - time.time()) < 30
        key = tmp_path / "dpop.pem"
        command = (*COMMAND, "token", "--issuer", base, "--url", "https://droits.example/v1/x", "--key", str(key))
        printed = [subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout for _ in "ab"]
    assert key.stat().st_mode & 0o777 == 0o600
    bound = set()
    for headers in printed:
        first, second = headers.splitlines()
        token = jwt.decode(first.removeprefix("Authorization: DPoP "), keys, algorithms=["ES256"])
        assert token.claims["sub"] == "8" + practitioner(0, "21").rpps
        assert token.claims["finess"] == practitioner(0, "21").finess
        bound.add(token.claims["cnf"]["jkt"])
        proof_header = jws.extract_compact(second.removeprefix("DPoP: ").encode()).headers()
        assert jwk.ECKey.import_key(proof_header["jwk"]).thumbprint() == token.claims["cnf"]["jkt"]
    assert len(bound) == 1


def test_a_person_to_ask_about(api: str) -> None:
    """`sandbox person` prints a body that the API answers."""
    printed = subprocess.run((*COMMAND, "person", "77"), capture_output=True, timeout=10, check=True).stdout
    status, _, body = call(api, "POST", "/v1/droits/consultation", printed)
    assert (status, json.loads(body)["beneficiaireDeSoins"]["referenceInterne"]) == (200, "REF-00000077")


def test_no_issuer_there() -> None:
    """A message that says what to start, not a traceback."""
    command = (*COMMAND, "token", "--issuer", "http://127.0.0.1:1", "--url", "https://x.example/")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode == 1
    assert "paravent sandbox issuer" in ended.stderr
    assert "Traceback" not in ended.stderr
