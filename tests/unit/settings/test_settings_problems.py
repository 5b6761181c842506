"""Every mistake in a configuration is found before the first request, at its line, without the value of a secret."""

# ruff: noqa: E501 (a problem is one line, as it is printed)

import os
from pathlib import Path

import pytest

from deployments import Deployment, certificate
from paravent.problems import InvalidFiles
from paravent.settings import load_settings

P = "paravent.toml"
ADDRESS, ORIGIN = 'address = "127.0.0.1:8443"', 'external_origin = "https://droits.example"'
URL, ISSUER, JWKS = 'url = "http://127.0.0.1:9000"', 'issuer = "https://as.example"', 'jwks = "jwks.json"'
FINGERPRINT = "AB:" * 31 + "cd"
NO_KEY, NONE_LEFT = "gives no key to verify tokens with", "no key is left that could verify a token"
NO_SET = f"{NO_KEY}: it is not a JWK set: UTF-8 without byte order mark, an object with `keys`, no member twice"
NOT_A_HOST = "address is not host:port, as in 127.0.0.1:8443 or [::]:8443"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def row(claim: str, change: tuple[str, str], *told: str) -> object:
    return pytest.param(change, list(told), id=claim)


ROWS = [
    row(
        "an unknown key is told with the one that was meant",
        (ADDRESS, 'adress = "127.0.0.1:8443"'),
        f"{P}:1:1: address is missing in [listen] (host:port to listen on; or PARAVENT_LISTEN_ADDRESS)",
        f"{P}:2:1: unknown key adress in [listen] (did you mean address?)",
    ),
    row(
        "an unknown section is told with the one that was meant",
        ("[metrics]", "[metric]"),
        f"{P}:24:1: unknown section [metric] (did you mean metrics?)",
        f"{P}: address is missing in [metrics] (host:port of the management listener; or PARAVENT_METRICS_ADDRESS)",
    ),
    row(
        "a key outside any section is told",
        ("[listen]", "debug = true\n[listen]"),
        f"{P}:1:1: unknown section [debug] (known: audit, issuers, listen, metrics, policy, portal, revocation, state, upstream)",
    ),
    row(
        "a number where text is needed is told",
        (ADDRESS, "address = 8443"),
        f"{P}:2:1: address must be text that is not empty",
    ),
    row("empty text is not text", (ADDRESS, 'address = ""'), f"{P}:2:1: address must be text that is not empty"),
    row(
        "text where a list is needed is told",
        ('clients = ["portail"]', 'clients = "portail"'),
        f"{P}:15:1: clients must be a list of texts with at least one, none empty",
    ),
    row(
        "an empty list of clients lets nobody in and is refused",
        ('clients = ["portail"]', "clients = []"),
        f"{P}:15:1: clients must be a list of texts with at least one, none empty",
    ),
    row(
        "a list with a number is refused",
        ('clients = ["portail"]', 'clients = ["portail", 3]'),
        f"{P}:15:1: clients must be a list of texts with at least one, none empty",
    ),
    row(
        "a section that is a value is told",
        ('[policy]\npath = "policies"', 'policy = "policies"'),
        f"{P}:27:1: unknown key policy in [metrics] (known: address)",
        f"{P}: path is missing in [policy] (the policy folder; or PARAVENT_POLICY_PATH)",
    ),
    row(
        "an issuer that is a value is told",
        ("[issuers.operateur]", "[issuers]\nautre = 3\n[issuers.operateur]"),
        f"{P}:11:1: autre must be a section: [issuers.NAME]",
    ),
    row("an address without port is refused", (ADDRESS, 'address = "127.0.0.1"'), f"{P}:2:1: {NOT_A_HOST}"),
    row("an address without host is refused", (ADDRESS, 'address = ":8443"'), f"{P}:2:1: {NOT_A_HOST}"),
    row(
        "a port above 65535 is refused",
        (ADDRESS, 'address = "127.0.0.1:65536"'),
        f"{P}:2:1: address has a port above 65535",
    ),
    row(
        "half an IPv4 address is no host name",
        (ADDRESS, 'address = "127.0.1:8443"'),
        f"{P}:2:1: address has no IP address or host name before the colon",
    ),
    row(
        "brackets hold an IPv6 address",
        (ADDRESS, 'address = "[127.0.0.1]:8443"'),
        f"{P}:2:1: address has no IPv6 address between its brackets",
    ),
    row(
        "two listeners cannot share an address",
        ('address = "127.0.0.1:9464"', 'address = "127.0.0.1:8443"'),
        f"{P}:25:1: address is that of [listen]: two listeners cannot share it",
    ),
    row(
        "callers need https",
        (ORIGIN, 'external_origin = "http://droits.example"'),
        f"{P}:3:1: external_origin must begin with https://",
    ),
    row(
        "an origin has no path",
        (ORIGIN, 'external_origin = "https://droits.example/api"'),
        f"{P}:3:1: external_origin has more than scheme, host and port",
    ),
    row(
        "an origin has no user name",
        (ORIGIN, 'external_origin = "https://a:b@droits.example"'),
        f"{P}:3:1: external_origin has a user name before the host: secrets come from files",
    ),
    row(
        "an origin is a URL",
        (ORIGIN, 'external_origin = "droits.example"'),
        f"{P}:3:1: external_origin must begin with https:// (or http://) and a host",
    ),
    row(
        "an origin has no blanks",
        (ORIGIN, 'external_origin = "https://droits .example"'),
        f"{P}:3:1: external_origin has characters that a URL does not have",
    ),
    row(
        "an origin has a host name",
        (ORIGIN, 'external_origin = "https://-x_y/"'),
        f"{P}:3:1: external_origin has no IP address or host name",
    ),
    row(
        "an origin has no port zero",
        (ORIGIN, 'external_origin = "https://droits.example:0"'),
        f"{P}:3:1: external_origin has no port after the colon",
    ),
    row(
        "TLS ends somewhere",
        ('certificate = "server.pem"\nkey = "server.key"\n', ""),
        f"{P}:1:1: neither certificate and key nor plaintext_from: say where TLS ends (certificate and key; or plaintext_from, the networks of the front proxy)",
    ),
    row(
        "TLS ends in one place",
        ('key = "server.key"', 'key = "server.key"\nplaintext_from = ["127.0.0.1/32"]'),
        f"{P}:6:1: plaintext_from and certificate exclude each other: TLS ends here or at the front proxy",
    ),
    row("a certificate needs its key", ('key = "server.key"\n', ""), f"{P}:4:1: certificate needs key"),
    row("a key needs its certificate", ('certificate = "server.pem"\n', ""), f"{P}:4:1: key needs certificate"),
    row(
        "certificates of callers are seen where TLS ends",
        ('certificate = "server.pem"\nkey = "server.key"', 'plaintext_from = ["127.0.0.1"]\nclient_ca = "server.pem"'),
        f"{P}:5:1: client_ca has no effect behind a front proxy: certificates of callers are seen where TLS ends"
        " (client_cert_header = true, if the front proxy sends Client-Cert)",
    ),
    row(
        "somebody must serve",
        (ADDRESS, ADDRESS + "\nworkers = 0"),
        f"{P}:3:1: workers is not a whole number from 1 to 64",
    ),
    row(
        "a header needs somebody to send it",
        ('key = "server.key"', 'key = "server.key"\nclient_ca = "server.pem"\nclient_cert_header = true'),
        f"{P}:7:1: client_cert_header needs a front proxy: anybody could write the header (front_certificates, or plaintext_from)",
    ),
    row(
        "a header needs somebody to vouch for what it brings",
        ('certificate = "server.pem"\nkey = "server.key"', 'plaintext_from = ["127.0.0.1"]\nclient_cert_header = true'),
        f"{P}:5:1: client_cert_header needs client_ca: the certificates that it brings are judged here",
    ),
    row(
        "a PROXY header is not believed of whoever comes",
        ('key = "server.key"', 'key = "server.key"\nproxy_protocol = true'),
        f"{P}:6:1: proxy_protocol needs plaintext_from: over TLS it would come before the front proxy has shown who it is",
    ),
    row(
        "a front proxy comes one way",
        (
            'certificate = "server.pem"\nkey = "server.key"',
            'plaintext_from = ["127.0.0.1"]\nfront_certificates = "server.pem"',
        ),
        f"{P}:5:1: front_certificates and plaintext_from exclude each other: a front proxy speaks TLS to us or not",
    ),
    row(
        "a front proxy is not everybody",
        ('certificate = "server.pem"\nkey = "server.key"', 'plaintext_from = ["0.0.0.0/0", "::/0", "10.0.0.1/8"]'),
        f"{P}:4:1: plaintext_from: '0.0.0.0/0' names everybody; it must name the front proxy alone",
        f"{P}:4:1: plaintext_from: '10.0.0.1/8' is not a network, as in 10.1.2.0/24 or 127.0.0.1/32",
        f"{P}:4:1: plaintext_from: '::/0' names everybody; it must name the front proxy alone",
    ),
    row(
        "a certificate that is not there is told",
        ("server.pem", "absent.pem"),
        f"{P}:4:1: certificate: the file 'absent.pem' does not exist",
    ),
    row(
        "a key that is a folder is told",
        ("server.key", "policies"),
        f"{P}:5:1: key: the file 'policies' is a directory, not a file",
    ),
    row(
        "a certificate file without a certificate is told",
        ("server.pem", "audit.key"),
        f"{P}:4:1: certificate: the file 'audit.key' holds no PEM certificate that can be read",
    ),
    row(
        "a key file without a key is told",
        ("server.key", "jwks.json"),
        f"{P}:5:1: key: the file 'jwks.json' holds no PEM private key that can be read",
    ),
    row(
        "authorities of callers are certificates",
        ('key = "server.key"', 'key = "server.key"\nclient_ca = "server.key"'),
        f"{P}:6:1: client_ca: the file 'server.key' holds no PEM certificate that can be read",
    ),
    row(
        "https to the upstream needs its authority",
        (URL, 'url = "https://api.example"'),
        f"{P}:8:1: url is https and needs ca (ca: the PEM file of the upstream's authority)",
    ),
    row(
        "http to another machine is refused",
        (URL, 'url = "http://10.0.0.9:9000"'),
        f"{P}:8:1: url is http to another machine: identities and rights would cross the network unencrypted (https with ca; or allow_plaintext = true where a mesh encrypts)",
    ),
    row(
        "http to another machine can be allowed by name", (URL, 'url = "http://10.0.0.9:9000"\nallow_plaintext = true')
    ),
    row(
        "an authority without https has no effect",
        (URL, URL + '\nca = "server.pem"'),
        f"{P}:9:1: ca has no effect: url is http",
    ),
    row(
        "the upstream is an origin",
        (URL, 'url = "http://127.0.0.1:9000/v1"'),
        f"{P}:8:1: url has more than scheme, host and port",
    ),
    row(
        "a client certificate needs its key",
        (URL, 'url = "https://api.example"\nca = "server.pem"\nclient_certificate = "server.pem"'),
        f"{P}:10:1: client_certificate needs client_key",
    ),
    row(
        "an upstream may not take forever",
        (URL, URL + "\ntimeout = 600"),
        f"{P}:9:1: timeout is not a time above 0 and up to 60 seconds, as in 5 or 5s",
    ),
    row(
        "an upstream may not take no time",
        (URL, URL + "\ntimeout = 0"),
        f"{P}:9:1: timeout is not a time above 0 and up to 60 seconds, as in 5 or 5s",
    ),
    row(
        "a time has a unit that is known",
        (URL, URL + '\ntimeout = "5m"'),
        f"{P}:9:1: timeout is not a time above 0 and up to 60 seconds, as in 5 or 5s",
    ),
    row("true is not a time", (URL, URL + "\ntimeout = true"), f"{P}:9:1: timeout must be a number of seconds"),
    row(
        "not a number is not a time",
        (URL, URL + "\ntimeout = nan"),
        f"{P}:9:1: timeout is not a time above 0 and up to 60 seconds, as in 5 or 5s",
    ),
    row(
        "no part of an exchange outlasts the whole",
        (URL, URL + "\ntimeout = 3\nconnect_timeout = 4\nfirst_byte_timeout = 3.5"),
        f"{P}:10:1: connect_timeout is longer than timeout, which covers the whole exchange",
        f"{P}:11:1: first_byte_timeout is longer than timeout, which covers the whole exchange",
    ),
    row(
        "somebody must be able to ask",
        (URL, URL + "\nconnections = 0"),
        f"{P}:9:1: connections is not a whole number from 1 to 4096",
    ),
    row(
        "half a connection is none", (URL, URL + "\nconnections = 1.5"), f"{P}:9:1: connections must be a whole number"
    ),
    row("true is not one", (URL, URL + "\nconnections = true"), f"{P}:9:1: connections must be a whole number"),
    row(
        "an unknown profile is told",
        ('"rfc9068"', '"rfc9086"'),
        f"{P}:11:1: unknown profile 'rfc9086' (did you mean rfc9068?)",
    ),
    row(
        "an issuer of RFC 9068 tokens needs a name for us",
        ('audience = ["urn:paravent:droits"]\n', ""),
        f"{P}:10:1: audience is missing in [issuers.operateur] (names by which tokens may mean us; or PARAVENT_ISSUERS_OPERATEUR_AUDIENCE)",
    ),
    row(
        "a scope is one name",
        ('clients = ["portail"]', 'clients = ["portail"]\nscopes = ["droits lire"]'),
        f"{P}:16:1: scopes: 'droits lire' is no scope (one name each, no blanks (RFC 6749 section 3.3))",
    ),
    row(
        "a client certificate is a fingerprint of a client that is known",
        (JWKS, JWKS + f'\nclient_certificates = ["portail=abc", "portial={FINGERPRINT}"]'),
        f"{P}:14:1: client_certificates has no effect: nobody is asked for a client certificate ([listen] client_ca)",
        f"{P}:14:1: client_certificates: 'portail=abc' is not client=fingerprint, the SHA-256 of a certificate in hexadecimal or base64url",
        f"{P}:14:1: client_certificates: 'portial' is not in clients (did you mean portail?)",
    ),
    row(
        "an introspection needs an authority, a name and one way to prove it",
        (JWKS, JWKS + '\nintrospection = "https://as.example/introspect"'),
        f"{P}:14:1: introspection needs ca (ca: the PEM file of the authority of that server)",
        f"{P}:14:1: introspection needs introspection_client",
        f"{P}:14:1: introspection needs one way to say who we are: a secret file or a certificate",
    ),
    row(
        "an introspection over plain http is refused",
        (
            JWKS,
            JWKS
            + '\nca = "server.pem"\nintrospection = "http://as.example/introspect"\nintrospection_client = "p"\nintrospection_secret_file = "audit.key"',
        ),
        f"{P}:15:1: introspection is no https URL",
    ),
    row(
        "a secret without an introspection is told",
        (JWKS, JWKS + '\nintrospection_secret_file = "audit.key"\nuserinfo = "https://as.example/userinfo"'),
        f"{P}:14:1: introspection_secret_file needs introspection",
        f"{P}:15:1: userinfo needs introspection",
    ),
    row(
        "a secret is one line",
        (
            JWKS,
            JWKS
            + '\nca = "server.pem"\nintrospection = "https://as.example/i"\nintrospection_client = "p"\nintrospection_secret_file = "server.pem"',
        ),
        f"{P}:17:1: introspection_secret_file: the file 'server.pem' does not hold one line of visible ASCII and nothing else",
    ),
    row("an issuer is https", (ISSUER, 'issuer = "http://as.example"'), f"{P}:12:1: issuer must begin with https://"),
    row(
        "an issuer has no query",
        (ISSUER, 'issuer = "https://as.example?x"'),
        f"{P}:12:1: issuer has a query or a fragment; an issuer has none",
    ),
    row(
        "keys over plain http are refused",
        (JWKS, 'jwks = "http://as.example/jwks"'),
        f"{P}:13:1: jwks is no https URL",
    ),
    row(
        "keys over https need the authority",
        (JWKS, 'jwks = "https://as.example/jwks"'),
        f"{P}:13:1: jwks is a URL and needs ca (ca: the PEM file of the authority of that server)",
    ),
    row(
        "keys are not dropped at the first failed fetch",
        (JWKS, JWKS + '\njwks_stale_for = "5m"'),
        f"{P}:14:1: jwks_stale_for is not a time from 10m to 7d, as in 24h",
    ),
    row(
        "keys are not used for ever",
        (JWKS, JWKS + '\njwks_stale_for = "30d"'),
        f"{P}:14:1: jwks_stale_for is not a time from 10m to 7d, as in 24h",
    ),
    row(
        "a time for keys has its unit",
        (JWKS, JWKS + '\njwks_stale_for = "86400"'),
        f"{P}:14:1: jwks_stale_for is not a time from 10m to 7d, as in 24h",
    ),
    row(
        "a key set that is not there is told",
        (JWKS, 'jwks = "absent.json"'),
        f"{P}:13:1: jwks: the file 'absent.json' does not exist",
    ),
    row(
        "a key set that is not JSON is told",
        (JWKS, 'jwks = "server.pem"'),
        f"{P}:13:1: jwks: the file 'server.pem' {NO_SET}",
    ),
    row(
        "a secret algorithm is not known",
        ('clients = ["portail"]', 'clients = ["portail"]\nalgorithms = ["HS256", "none"]'),
        f"{P}:16:1: unknown algorithm 'HS256' (known: ES256, ES384, PS256, EdDSA, RS256)",
        f"{P}:16:1: unknown algorithm 'none' (known: ES256, ES384, PS256, EdDSA, RS256)",
    ),
    row(
        "an issuer's name is a word",
        ("[issuers.operateur]", '[issuers."Opé"]'),
        f"{P}:10:1: 'Opé' cannot name an issuer (begin with a small letter; then small letters, digits, - and _)",
    ),
    row(
        "two issuers cannot share a name in the environment",
        ("[state]", "[issuers.a-b]\n[issuers.a_b]\n[state]"),
        f"{P}:17:1: audience is missing in [issuers.a-b] (names by which tokens may mean us; or PARAVENT_ISSUERS_A_B_AUDIENCE)",
        f"{P}:17:1: clients is missing in [issuers.a-b] (client_id of the software that may call; or PARAVENT_ISSUERS_A_B_CLIENTS)",
        f"{P}:17:1: issuer is missing in [issuers.a-b] (the iss of its tokens; or PARAVENT_ISSUERS_A_B_ISSUER)",
        f"{P}:17:1: jwks is missing in [issuers.a-b] (its verification keys: a file, or an https URL; or PARAVENT_ISSUERS_A_B_JWKS)",
        f'{P}:17:1: profile is missing in [issuers.a-b] ("rfc9068" or "pro-sante-connect"; or PARAVENT_ISSUERS_A_B_PROFILE)',
        f"{P}:18:1: 'a_b' and another issuer would share their environment variables",
    ),
    row(
        "two issuers cannot have one iss",
        (
            "[state]",
            '[issuers.zweite]\nprofile = "rfc9068"\nissuer = "https://as.example"\njwks = "jwks.json"\naudience = ["a"]\nclients = ["b"]\n[state]',
        ),
        f"{P}:19:1: issuer is that of [issuers.operateur]: a token could be either's",
    ),
    row(
        "credentials of Redis have keys of their own",
        ("sqlite:state.db", "redis://user:password@host:6379/0"),
        f"{P}:18:1: url holds a name or a password",
    ),
    row(
        "a Redis has a number",
        ("sqlite:state.db", "redis://host:6379/other"),
        f"{P}:18:1: url is not redis://host:port/number",
    ),
    row(
        "Redis over TLS needs an authority",
        ("sqlite:state.db", "rediss://host:6379/0"),
        f"{P}:18:1: url is rediss and needs ca (rediss:// with ca: the PEM file of its authority)",
    ),
    row(
        "a name needs a password",
        ('"sqlite:state.db"', '"redis://host:6379/0"\nuser = "paravent"'),
        f"{P}:19:1: user needs password_file",
    ),
    row(
        "a state file has no password",
        ('"sqlite:state.db"', '"sqlite:state.db"\nuser = "paravent"'),
        f"{P}:19:1: user has no meaning for a state file (remove it, or use redis://)",
    ),
    row(
        "a certificate is shown over TLS",
        (
            '"sqlite:state.db"',
            '"redis://host:6379/0"\nclient_certificate = "server.pem"\nclient_key = "server.key"',
        ),
        f"{P}:19:1: client_certificate has no meaning without TLS",
    ),
    row(
        "a cluster has one number",
        ('"sqlite:state.db"', '"redis://host:6379/3"\ncluster = true'),
        f"{P}:18:1: a Redis Cluster has number 0 alone (end url with 6379/0)",
    ),
    row(
        "one node has a state file",
        ('"sqlite:state.db"', '"sqlite:state.db"\nnodes = 2'),
        f"{P}:19:1: nodes has no meaning for a state file (remove it, or use redis://)",
    ),
    row(
        "nodes are counted",
        ('"sqlite:state.db"', '"redis://host:6379/0"\nnodes = 0'),
        f"{P}:19:1: nodes is not a whole number from 1 to 1000",
    ),
    row(
        "state is a sqlite file",
        ("sqlite:state.db", "state.db"),
        f"{P}:18:1: url is neither sqlite:FILE nor redis://HOST:PORT/NUMBER (sqlite:state.db, sqlite:///absolute/state.db, or redis://host:port/0)",
    ),
    row(
        "state has no parameters",
        ("sqlite:state.db", "sqlite:state.db?mode=memory"),
        f"{P}:18:1: url is neither sqlite:FILE nor redis://HOST:PORT/NUMBER (sqlite:state.db, sqlite:///absolute/state.db, or redis://host:port/0)",
    ),
    row(
        "state needs its folder",
        ("sqlite:state.db", "sqlite:absent/state.db"),
        f"{P}:18:1: the folder of the state file does not exist (make it, writable by this user alone)",
    ),
    row("state is not a folder", ("sqlite:state.db", "sqlite:policies"), f"{P}:18:1: the state file is a directory"),
    row(
        "the ledger is not a file",
        ('path = "audit"', 'path = "audit.key"'),
        f"{P}:21:1: path is a file; the ledger is a directory",
    ),
    row(
        "the ledger needs the folder around it",
        ('path = "audit"', 'path = "absent/audit"'),
        f"{P}:21:1: the folder that would hold the ledger does not exist",
    ),
    row(
        "a second key file that holds the same key is refused",
        ('path = "audit"', 'path = "audit"\nsecond_key_file = "audit.key"'),
        f"{P}:22:1: second_key_file holds the key of key_file (remove it)",
    ),
    row(
        "a second key file has the form of the first",
        ('path = "audit"', 'path = "audit"\nsecond_key_file = "jwks.json"'),
        f"{P}:22:1: second_key_file: the file 'jwks.json' does not hold 64 hexadecimal characters and nothing else",
    ),
    row(
        "a checkpoint, which nothing writes yet, is refused",
        ('path = "audit"', 'path = "audit"\ncheckpoint = "head"'),
        f"{P}:22:1: checkpoint is not available in this version "
        "(remove it; back up the ledger's folder to another machine)",
    ),
    row(
        "a policy folder that is not there is told",
        ('path = "policies"', 'path = "policy"'),
        f"{P}:28:1: path: there is no folder 'policy'",
    ),
]


@pytest.mark.parametrize(("change", "told"), ROWS)
def test_mistake(deployment: Deployment, change: tuple[str, str], told: list[str]) -> None:
    """Each mistake gives these problems, at these places, and no other."""
    assert sorted(deployment.change(change).problems()) == sorted(told)


FILES = [
    pytest.param(
        "server.key",
        certificate("other")[1],
        f"{P}:5:1: key is not the key of certificate's first certificate",
        id="the key of another certificate",
    ),
    pytest.param(
        "audit.key",
        "ab" * 31,
        f"{P}:22:1: key_file: the file 'audit.key' does not hold 64 hexadecimal characters and nothing else",
        id="a key that is short",
    ),
    pytest.param(
        "audit.key",
        "ab" * 32 + " # ours",
        f"{P}:22:1: key_file: the file 'audit.key' does not hold 64 hexadecimal characters and nothing else",
        id="a key with a comment",
    ),
    pytest.param(
        "audit.key",
        b"\xff" * 32,
        f"{P}:22:1: key_file: the file 'audit.key' does not hold 64 hexadecimal characters and nothing else",
        id="a key in raw bytes",
    ),
    pytest.param(
        "jwks.json",
        "[]",
        f"{P}:13:1: jwks: the file 'jwks.json' {NO_SET}",
        id="a list of nothing",
    ),
    pytest.param(
        "jwks.json",
        '{"keys": []}',
        f"{P}:13:1: jwks: the file 'jwks.json' {NO_KEY}: {NONE_LEFT}",
        id="a set without keys",
    ),
    pytest.param(
        "jwks.json", "[" * 100_000, f"{P}:13:1: jwks: the file 'jwks.json' {NO_SET}", id="nested beyond reading"
    ),
    pytest.param(
        "jwks.json",
        '{"keys": [{"kid": "k", "kty": "EC", "d": "AA"}]}',
        f"{P}:13:1: jwks: the file 'jwks.json' {NO_KEY}: key 1 is not used: it holds private members; treat it as disclosed and replace it; {NONE_LEFT}",
        id="a private key",
    ),
    pytest.param(
        "jwks.json",
        '{"keys": [{"kid": "k", "kty": "oct", "k": "AA"}]}',
        f"{P}:13:1: jwks: the file 'jwks.json' {NO_KEY}: key 1 is not used: it is symmetric; whoever can verify with it can also sign; {NONE_LEFT}",
        id="a shared secret",
    ),
    pytest.param(
        "server.pem",
        b"x" * 1_100_000,
        f"{P}:4:1: certificate: the file 'server.pem' is longer than 1 MB",
        id="a file that is no certificate by its size",
    ),
]


@pytest.mark.parametrize(("name", "content", "told"), FILES)
def test_files_that_make_no_sense(deployment: Deployment, name: str, content: str | bytes, told: str) -> None:
    """A named file is read at start, and what is wrong with it is told at the key that names it."""
    assert deployment.write(name, content).problems() == [told]


def test_no_problem_holds_a_secret(deployment: Deployment) -> None:
    """Neither credentials in a URL nor the content of a key file is repeated."""
    deployment.change(("sqlite:state.db", "redis://user:hunter2@host/0"), (URL, 'url = "http://u:hunter2@127.0.0.1"'))
    told = "\n".join(deployment.write("audit.key", "deadbeef" * 7).problems())
    assert "hunter2" not in told
    assert "deadbeef" not in told
    assert told.count("\n") == 2


def test_a_passphrase_is_told(deployment: Deployment) -> None:
    """A key that somebody must unlock cannot be used by a service."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    told = deployment.write("server.key", pem).problems()
    assert told == [f"{P}:5:1: key: the file 'server.key' is protected by a passphrase: nobody is there to type it"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_may_not_be_read_is_told(deployment: Deployment) -> None:
    """Permissions are found out at start."""
    (deployment.folder / "audit.key").chmod(0)
    assert deployment.problems() == [f"{P}:22:1: key_file: the file 'audit.key' may not be read by this user"]


TEXTS = [
    pytest.param(
        b"[listen\n", f"{P}:1:8: not valid TOML: expected ']' at the end of a table declaration", id="broken TOML"
    ),
    pytest.param(b"[listen]\n\xff", f"{P}:2: the file is not UTF-8 text", id="not UTF-8"),
    pytest.param(b"#" * 300_000, f"{P}: the file is longer than 256 KB", id="too long"),
]


@pytest.mark.parametrize(("data", "told"), TEXTS)
def test_a_file_that_cannot_be_read_as_toml(deployment: Deployment, data: bytes, told: str) -> None:
    """One problem, at its line."""
    assert deployment.write(P, data).problems() == [told]


def test_a_section_that_is_a_value_is_told(deployment: Deployment) -> None:
    """`state = 3` is not [state], and the section is still missing."""
    deployment.change(('[state]\nurl = "sqlite:state.db"\n', ""), ("[listen]", "state = 3\n[listen]"))
    assert deployment.problems() == [
        f"{P}:1:1: state must be a section: [state]",
        f"{P}:1:1: url is missing in [state] (sqlite:FILE, redis://HOST:PORT/NUMBER, or rediss:// the same with TLS; or PARAVENT_STATE_URL)",
    ]


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    """The file itself can be missing."""
    with pytest.raises(InvalidFiles) as raised:
        load_settings(tmp_path / "absent.toml", {})
    assert [str(problem) for problem in raised.value.problems] == ["absent.toml: the configuration file does not exist"]


def test_an_empty_configuration_lists_everything_that_is_needed(deployment: Deployment) -> None:
    """All at once: every required key, and that there is no issuer."""
    told = deployment.write(P, "").problems()
    assert len([line for line in told if "is missing" in line]) == 8
    assert f"{P}: no [issuers.NAME]: no token would be accepted" in told
    assert len(told) == 10


VARIABLES = [
    pytest.param(
        {"PARAVENT_LISTEN_ADRESS": "x"},
        "PARAVENT_LISTEN_ADRESS: no such setting (did you mean PARAVENT_LISTEN_ADDRESS?)",
        id="an unknown key",
    ),
    pytest.param(
        {"PARAVENT_LISTEN_ADDRESS": "x"},
        f"PARAVENT_LISTEN_ADDRESS: {NOT_A_HOST}",
        id="a wrong value, told at the variable",
    ),
    pytest.param(
        {"PARAVENT_AUDIT_KEY_FILE": "absent"},
        "PARAVENT_AUDIT_KEY_FILE: key_file: the file 'absent' does not exist",
        id="a file that is not there",
    ),
    pytest.param(
        {"PARAVENT_AUDIT_CHECKPOINT": "head"},
        "PARAVENT_AUDIT_CHECKPOINT: checkpoint is not available in this version "
        "(remove it; back up the ledger's folder to another machine)",
        id="a checkpoint, which nothing writes yet",
    ),
    pytest.param(
        {"PARAVENT_UPSTREAM_ALLOW_PLAINTEXT": "yes"},
        "PARAVENT_UPSTREAM_ALLOW_PLAINTEXT: must be true or false",
        id="a flag that is neither",
    ),
    pytest.param(
        {"PARAVENT_ISSUERS_OPERATEUR_CLIENTS": "a,,b"},
        "PARAVENT_ISSUERS_OPERATEUR_CLIENTS: must be a list of texts with at least one, none empty",
        id="a list with a hole",
    ),
    pytest.param(
        {"PARAVENT_ISSUERS_X": "a"},
        "PARAVENT_ISSUERS_X: no such setting (did you mean PARAVENT_ISSUERS_OPERATEUR_CA?)",
        id="an issuer without a key",
    ),
]


@pytest.mark.parametrize(("environ", "told"), VARIABLES)
def test_mistakes_in_the_environment(deployment: Deployment, environ: dict[str, str], told: str) -> None:
    """A problem with a variable names the variable."""
    assert deployment.problems(environ) == [told]
