"""The configuration of the contract, read into types; every key can come from the environment."""

import dataclasses
from ipaddress import ip_network
from pathlib import Path

import pytest

from deployments import CONFIGURATION, Deployment, certificate
from paravent.identity.issuers import Issuer
from paravent.problems import InvalidFiles
from paravent.settings import Address, Redis, Sqlite
from paravent.settings.keys import SECTIONS, variable

CERTIFIED = 'certificate = "server.pem"\nkey = "server.key"'


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def test_the_smallest_deployment(deployment: Deployment) -> None:
    """Paths are absolute and relative to the file, addresses and lists are typed, defaults are filled in."""
    folder, settings = deployment.folder, deployment.load()
    assert settings.file == folder / "paravent.toml"
    assert settings.listen.address == Address("127.0.0.1", 8443)
    assert settings.listen.external_origin == "https://droits.example"
    assert (settings.listen.certificate, settings.listen.key) == (folder / "server.pem", folder / "server.key")
    assert (settings.listen.client_ca, settings.listen.plaintext_from) == (None, ())
    upstream = settings.upstream
    assert (upstream.url, upstream.host, upstream.port, upstream.tls) == (
        "http://127.0.0.1:9000",
        "127.0.0.1",
        9000,
        False,
    )
    assert (upstream.timeout_s, upstream.ca) == (5.0, None)
    assert (upstream.connect_timeout_s, upstream.first_byte_timeout_s, upstream.connections) == (2.0, None, 256)
    issuer = settings.issuers["operateur"]
    assert (issuer.profile, issuer.issuer, issuer.jwks) == ("rfc9068", "https://as.example", folder / "jwks.json")
    assert issuer.jwks_stale_for_s == 86400
    assert (issuer.audience, issuer.clients) == (("urn:paravent:droits",), {"portail"})
    assert settings.state == Sqlite(folder / "state.db")
    assert (settings.audit.path, settings.audit.key.reveal()) == (folder / "audit", bytes.fromhex("ab" * 32))
    assert settings.metrics.address == Address("127.0.0.1", 9464)
    assert settings.policy.path == folder / "policies"


def test_the_key_does_not_print(deployment: Deployment) -> None:
    """No repr of the settings holds the audit key."""
    settings = deployment.load()
    assert "abab" not in repr(settings)
    assert str(bytes.fromhex("ab" * 32)) not in repr(settings)


def test_settings_do_not_change(deployment: Deployment) -> None:
    """Nothing assigns to them later."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        deployment.load().listen.external_origin = "https://evil.example"  # type: ignore[misc]


def test_behind_a_front_proxy(deployment: Deployment) -> None:
    """Instead of certificate and key, the networks that may speak plaintext to us."""
    deployment.change(
        ('certificate = "server.pem"\n', ""), ('key = "server.key"', 'plaintext_from = ["127.0.0.1/32", "fd00::/64"]')
    )
    listen = deployment.load().listen
    assert (listen.certificate, listen.key) == (None, None)
    assert listen.plaintext_from == (ip_network("127.0.0.1/32"), ip_network("fd00::/64"))


@pytest.mark.parametrize(
    ("lines", "noted"),
    [
        ('plaintext_from = ["10.0.0.0/8"]\nrefusals_per_minute = 60', True),
        ('plaintext_from = ["10.0.0.0/8"]\nrefusals_per_minute = 60\nproxy_protocol = false', True),
        (f'{CERTIFIED}\nfront_certificates = "server.pem"\nrefusals_per_minute = 60', True),
        ('plaintext_from = ["10.0.0.0/8"]\nrefusals_per_minute = 60\nproxy_protocol = true', False),
        ('plaintext_from = ["10.0.0.0/8"]', False),
        (f"{CERTIFIED}\nrefusals_per_minute = 60", False),
    ],
    ids=[
        "a front proxy that is trusted for where it comes from",
        "one that is said not to introduce anybody",
        "one that has a certificate",
        "one that introduces whom it speaks for",
        "nothing is said of a bound",
        "TLS ends here",
    ],
)
def test_a_bound_of_refusals_that_bounds_nobody_is_noted(deployment: Deployment, lines: str, noted: bool) -> None:
    """It works, and whoever wrote the bound believes in it."""
    notes = deployment.change((CERTIFIED, lines)).load().notes
    assert [note.message.partition(" ")[0] for note in notes] == ["refusals_per_minute"] * noted


def test_what_this_user_may_not_write_is_noted(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its key, and no more than that: `check` may be run by somebody else than the node."""
    assert deployment.load().notes == ()
    monkeypatch.setattr("os.access", lambda path, mode: path != deployment.folder)
    assert [str(note).partition(" ")[2].partition("\n")[0] for note in deployment.load().notes] == [
        "url: this user may not write there",
        "path: this user may not write there",
    ]


def test_an_upstream_with_tls(deployment: Deployment) -> None:
    """https needs the authority, and may show a certificate of ours."""
    deployment.write("ca.pem", certificate("ca")[0])
    deployment.change(
        (
            'url = "http://127.0.0.1:9000"',
            'url = "https://API.example:443/"\nca = "ca.pem"\nclient_certificate = "server.pem"\n'
            'client_key = "server.key"\ntimeout = "2.5s"',
        )
    )
    upstream = deployment.load().upstream
    assert (upstream.url, upstream.host, upstream.port, upstream.tls) == (
        "https://api.example",
        "api.example",
        443,
        True,
    )
    assert (upstream.ca, upstream.timeout_s) == (deployment.folder / "ca.pem", 2.5)
    assert upstream.client_key == deployment.folder / "server.key"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("sqlite:state.db", "state.db", id="relative to the file"),
        pytest.param("sqlite:./policies/state.db", "policies/state.db", id="in a folder beside it"),
        pytest.param("sqlite:///{folder}/other.db", "other.db", id="absolute"),
    ],
)
def test_state(deployment: Deployment, url: str, path: str) -> None:
    """The embedded store is a file."""
    url = url.replace("{folder}", str(deployment.folder).lstrip("/"))
    assert deployment.change(("sqlite:state.db", url)).load().state.path == deployment.folder / path


@pytest.mark.parametrize(
    ("url", "address", "database"),
    [
        ("redis://10.0.0.5:6380/3", Address("10.0.0.5", 6380), 3),
        ("redis://redis.example", Address("redis.example", 6379), 0),
        ("redis://[::1]:6379/0", Address("::1", 6379), 0),
    ],
    ids=["an address", "a name alone", "IPv6"],
)
def test_shared_state(deployment: Deployment, url: str, address: Address, database: int) -> None:
    """The store of several machines is a Redis; who we are there stands beside the URL."""
    deployment.write("redis.password", "hunter2\n")
    keys = f'"{url}"\nuser = "paravent"\npassword_file = "redis.password"'
    state = deployment.change(('"sqlite:state.db"', keys)).load().state
    assert isinstance(state, Redis)
    assert (state.address, state.database, state.tls, state.user) == (address, database, False, "paravent")
    assert state.password is not None
    assert state.password.reveal() == "hunter2"
    assert "hunter2" not in repr(state)


ENVIRONMENT = [
    ("PARAVENT_LISTEN_ADDRESS", "[::1]:9", lambda it: str(it.listen.address), "[::1]:9"),
    (
        "PARAVENT_LISTEN_EXTERNAL_ORIGIN",
        "https://other.example",
        lambda it: it.listen.external_origin,
        "https://other.example",
    ),
    ("PARAVENT_UPSTREAM_URL", "http://localhost:1", lambda it: it.upstream.url, "http://localhost:1"),
    ("PARAVENT_UPSTREAM_TIMEOUT", "7", lambda it: it.upstream.timeout_s, 7.0),
    ("PARAVENT_UPSTREAM_CONNECT_TIMEOUT", "1s", lambda it: it.upstream.connect_timeout_s, 1.0),
    ("PARAVENT_UPSTREAM_FIRST_BYTE_TIMEOUT", "0.5", lambda it: it.upstream.first_byte_timeout_s, 0.5),
    ("PARAVENT_UPSTREAM_CONNECTIONS", "32", lambda it: it.upstream.connections, 32),
    (
        "PARAVENT_ISSUERS_OPERATEUR_CLIENTS",
        "portail, logiciel",
        lambda it: it.issuers["operateur"].clients,
        {"portail", "logiciel"},
    ),
    ("PARAVENT_ISSUERS_OPERATEUR_ALGORITHMS", "RS256", lambda it: it.issuers["operateur"].algorithms, ("RS256",)),
    (
        "PARAVENT_ISSUERS_OPERATEUR_ALGORITHMS",
        "Ed25519,ES256,EdDSA",
        lambda it: it.issuers["operateur"].algorithms,
        ("EdDSA", "ES256"),
    ),
    ("PARAVENT_ISSUERS_OPERATEUR_JWKS_STALE_FOR", "2d", lambda it: it.issuers["operateur"].jwks_stale_for_s, 172800.0),
    ("PARAVENT_STATE_URL", "sqlite:other.db", lambda it: it.state.path.name, "other.db"),
    ("PARAVENT_AUDIT_PATH", "ledger", lambda it: it.audit.path.name, "ledger"),
    ("PARAVENT_METRICS_ADDRESS", "localhost:0", lambda it: str(it.metrics.address), "localhost:0"),
    ("PARAVENT_POLICY_PATH", ".", lambda it: it.policy.path.resolve() == it.file.parent.resolve(), True),
]


@pytest.mark.parametrize(("name", "value", "read", "wanted"), ENVIRONMENT, ids=[row[0] for row in ENVIRONMENT])
def test_the_environment_wins(deployment: Deployment, name: str, value: str, read: object, wanted: object) -> None:
    """A variable replaces what the file says; lists are separated by commas."""
    assert callable(read)
    assert read(deployment.load({name: value})) == wanted


def test_everything_can_come_from_the_environment(deployment: Deployment) -> None:
    """An empty file is enough when the variables say all that is required, a new issuer included."""
    environ: dict[str, str] = {}
    section = ""
    for line in CONFIGURATION.splitlines():
        if line.startswith("["):
            section = line.strip("[]").replace("operateur", "autre-as")
        elif line:
            key, _, value = line.partition(" = ")
            environ[variable(section, key)] = value.strip('["]')
    deployment.write("paravent.toml", "")
    settings = deployment.load(environ)
    assert settings.issuers["autre_as"].audience == ("urn:paravent:droits",)
    assert settings.listen.key == deployment.folder / "server.key"


def test_every_key_has_one_variable() -> None:
    """No two keys share a variable, and each is told what it is for."""
    keys = [(section, key) for section, keys in SECTIONS.items() for key in keys]
    assert len({variable(section, key.name) for section, key in keys}) == len(keys)
    assert all(key.meaning for _, key in keys)


def test_variables_of_others_are_left_alone(deployment: Deployment) -> None:
    """Kubernetes sets its own for a Service of our name, and an empty variable is one that is not set."""
    environ = {
        "PARAVENT_SERVICE_HOST": "10.0.0.1",
        "PARAVENT_PORT": "tcp://10.0.0.1:8443",
        "PARAVENT_METRICS_SERVICE_PORT": "9464",
        "PARAVENT_METRICS_PORT_9464_TCP_ADDR": "10.0.0.1",
        "PARAVENT_LISTEN_ADDRESS": "",
        "PARAVENT_HOME": "/opt",
    }
    told = deployment.load(environ)
    assert (told.listen, told.metrics, told.issuers) == (
        deployment.load().listen,
        deployment.load().metrics,
        deployment.load().issuers,
    )


def test_an_issuer_of_the_settings_is_one_of_the_engine(deployment: Deployment) -> None:
    """The fields have the types that the engine's own Issuer takes."""
    issuer = deployment.load().issuers["operateur"]
    assert (
        Issuer(issuer.name, issuer.issuer, issuer.audience, issuer.clients, issuer.algorithms).audience
        == issuer.audience
    )


def test_scopes(deployment: Deployment) -> None:
    """None are demanded where none are named."""
    assert deployment.load().issuers["operateur"].scopes == frozenset()
    deployment.change(('clients = ["portail"]', 'clients = ["portail"]\nscopes = ["droits", "droits:lire"]'))
    assert deployment.load().issuers["operateur"].scopes == {"droits", "droits:lire"}


def test_workers(deployment: Deployment) -> None:
    """One process when nothing is said; several need ports above that of the metrics."""
    assert deployment.load().listen.workers == 1
    deployment.change(('address = "127.0.0.1:8443"', 'address = "127.0.0.1:8443"\nworkers = 4'))
    assert deployment.load().listen.workers == 4
    with pytest.raises(InvalidFiles) as wrong:
        deployment.change(("127.0.0.1:9464", "127.0.0.1:65533")).load()
    assert [problem.message for problem in wrong.value.problems] == [
        "address leaves no ports above it for the workers' metrics"
    ]


PSC = """
[issuers.psc]
profile = "pro-sante-connect"
issuer = "https://psc.example/realm"
jwks = "jwks.json"
ca = "ca.pem"
clients = ["portail", "officine"]
client_certificates = ["portail=@hexadecimal", "portail=@x5t"]
introspection = "https://psc.example/introspect"
introspection_client = "paravent"
introspection_secret_file = "psc.secret"
userinfo = "https://psc.example/userinfo"
[state]
"""


def test_pro_sante_connect(deployment: Deployment) -> None:
    """Without an audience, with RS256; each fingerprint in the spelling that its tool prints; a client without one is
    told."""
    x5t = "ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8"
    text = PSC.replace("@hexadecimal", ":".join(["Ab"] * 32)).replace("@x5t", x5t)
    deployment.write("ca.pem", certificate("ca")[0]).write("psc.secret", "s3cr:t\n")
    listen = ('key = "server.key"', 'key = "server.key"\nclient_ca = "ca.pem"')
    settings = deployment.change(("[state]\n", text), listen).load()
    issuer = settings.issuers["psc"]
    assert (issuer.audience, issuer.algorithms) == ((), ("RS256",))
    assert issuer.client_certificates == {
        "portail": {b"\xab" * 32, bytes.fromhex("00112233445566778899aabbccddeeff" * 2)}
    }
    asked = issuer.introspection
    assert asked is not None
    assert asked.secret is not None
    assert (asked.url, asked.client, asked.secret.reveal()) == ("https://psc.example/introspect", "paravent", "s3cr:t")
    assert (asked.userinfo, asked.certificate, asked.key) == ("https://psc.example/userinfo", None, None)
    assert "s3cr" not in repr(settings)
    assert any("officine has no certificate in client_certificates" in note.message for note in settings.notes)
