"""configuration.md, from the table of `paravent.settings.keys`."""

from collections.abc import Mapping
from typing import Final

from generator.markdown import code, made_by, table
from paravent.keys.held import COOLDOWN_S, REFRESH_S, STALE_FOR_S
from paravent.settings.keys import ISSUERS, SECTIONS, Key, variable
from paravent.wiring import POLICY_POLL_S

_INTRODUCTION: Final = """\
The file that `paravent serve --config FILE` reads: TOML, and only facts of the deployment. What security decides is in
the [policy](policy.md).

- Relative paths are relative to the file.
- Every key can be given, or replaced, by an environment variable. In a variable a list is separated by commas, a flag
  is `true` or `false`, and an empty variable is one that is not set. Of the variables that begin with `PARAVENT_`,
  those are read whose next word is a section; others are left alone.
- Secrets come from files. A URL with a user name in it is refused.
- An unknown key or section is an error. All problems are reported at once, each with file, line, column and a hint, and
  nothing is started: exit code 2. `paravent check --config FILE` does the same without starting.

The smallest file is in the [README](../../README.md#the-smallest-configuration).

"""

NOTES: Final[Mapping[str, str]] = {
    "listen": """\
TLS ends here, with `certificate` and `key`, or at a front proxy that `plaintext_from` names: one of the two, never
both. The certificates of callers are seen only where TLS ends; a front proxy passes them on in `Client-Cert`, and is
believed when `client_cert_header` says so. With `front_certificates` it comes over TLS itself, and nobody else may
connect. [Behind a front proxy](../how-to/behind-a-front-proxy.md) puts them together.
`external_origin` is what the `htu` of a DPoP proof is compared with; it begins with `https://`, except on this machine.
[Several `workers`](../how-to/use-several-cores.md) serve one address.
HTTP/1.1 is spoken, nothing else. Renewed certificate files are taken over without a restart.
""",
    "upstream": """\
With `https://`, the certificate of the upstream must come from `ca`: the machine's own store of authorities is never
asked. `http://` is accepted to this machine alone, unless `allow_plaintext` says that the network itself encrypts.
`timeout` covers a whole exchange, from connecting to the last byte; `connect_timeout` and `first_byte_timeout` end it
sooner. A question that finds `connections` others of its worker under way waits 1 s for its turn. After repeated
failures the upstream is only [probed](problems.md#unavailable) until it answers again. Renewed files are taken over
without a restart, and connections that were made with the old ones are given up.
""",
    "issuers": f"""\
One section for each authorization server: `[issuers.NAME]`. NAME begins with a small letter and goes on with small
letters, digits, `-` and `_`; it stands in the ledger and in metrics. `issuer` is compared with `iss` character by
character. A token whose `aud` names anybody outside `audience` is refused.

A `jwks` file is looked at every second. An address needs `ca` and is fetched every {REFRESH_S:.0f} s, and early when a
token names an unknown key: that token waits for it, and unknown keys cause one fetch in {COOLDOWN_S:.0f} s. While it
cannot be read, the last good set serves for {STALE_FOR_S / 3600:.0f} h, or as long as `jwks_stale_for` says.
What tokens must hold is described for [callers](callers.md#the-access-token).

`client_certificates`, `introspection` and `userinfo` are explained where they are needed: [Pro Santé
Connect](../how-to/connect-to-pro-sante-connect.md). [An authorization server of your
own](../how-to/connect-an-authorization-server.md) needs none of them. Each client certificate is
`client=FINGERPRINT`, the SHA-256 in hexadecimal, with colons or without, or in base64url.
""",
    "state": """\
Where budgets, the memory of DPoP proofs and revocations are kept. `sqlite:state.db` is relative,
`sqlite:///var/lib/paravent/state.db` absolute. One machine, one file. The folder must exist and be writable; the file
is made when absent. Several machines share a [Redis or Valkey](../how-to/use-several-machines.md).
""",
    "audit": """\
The [ledger](ledger.md). `key_file` holds 32 random bytes as 64 hexadecimal characters. Four keys are derived from it:
for the chain, for the hashes that stand for persons, for the statements to the upstream, and for DPoP nonces; so all
nodes of a deployment share one. `second_key_file` opens handles, and nothing else. A new key file needs a new
folder; it also makes every person new to the budgets.
""",
    "metrics": """\
The management listener. It has no authentication: bind it to an address that only your monitoring reaches.

| path | says |
|---|---|
| `/metrics` | [metrics](metrics.md), in the format of Prometheus |
| `/healthz` | 200 while the process runs |
| `/readyz` | 200 while requests are answered, else 503; the body names each check |
| `/jwks.json` | the public key of the statements that the upstream receives |
| `POST /backchannel-logout` | where [an issuer reports a logout](../how-to/revoke-a-token-or-a-practitioner.md) |

A broken policy edit shows in the body of `/readyz` and leaves it at 200, because the last good policy is in force:
[decision 6](../decisions/0006-a-broken-policy-is-not-an-outage.md).
""",
    "policy": f"""\
The folder is read at start and looked at every {POLICY_POLL_S:.0f} s. A good change is taken over whole; a broken one
changes nothing.
""",
    "revocation": """\
What is refused although it has not expired: [how to revoke](../how-to/revoke-a-token-or-a-practitioner.md). The file is
taken over as the policy is: a good change whole, a broken one not at all. What `paravent revoke` and logouts add stands
in the state store, with or without this section.
""",
    "portal": """\
For a browser portal that keeps the token in a cookie. Without this section no cookie is looked at. A token that comes
in it must be bound to the client certificate of the connection; `Sec-Fetch-Site`, where a browser writes it, must be
`same-origin` or `same-site`; and a request other than GET must have an `Origin` of the list. A request with both the
cookie and `Authorization` is refused.
""",
}
"""What the table of keys does not say, by section."""


def page() -> str:
    """The whole page."""
    sections = "".join(_section(name, keys) for name, keys in SECTIONS.items())
    return (
        "# Configuration\n\n" + made_by("`proxy/paravent/settings/keys.py`") + _INTRODUCTION + sections.rstrip() + "\n"
    )


def _section(name: str, keys: tuple[Key, ...]) -> str:
    title, prefix = (f"[{ISSUERS}.NAME]", f"{ISSUERS}.NAME") if name == ISSUERS else (f"[{name}]", name)
    rows = [
        (code(key.name), key.kind.value, "yes" if key.required else "", key.meaning, code(variable(prefix, key.name)))
        for key in keys
    ]
    return f"## {title}\n\n{NOTES[name]}\n{table(('key', 'value', 'required', 'meaning', 'variable'), rows)}\n"
