"""`paravent sandbox`: the laboratory, one process a server. Nothing here belongs near real people."""

import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click

if TYPE_CHECKING:
    from paravent.sandbox.proofs import DpopKey

_HOST = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_PORT = click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port to listen on; 0: any free one.")
_SEED = click.option("--seed", type=int, default=2022, show_default=True, help="Which population.")


@click.group()
def sandbox() -> None:
    """A reference API that says too much and an issuer that signs anything. For demos and tests only."""


def _run(start: "Callable[[Callable[[int], None]], None]", name: str, scheme: str, host: str) -> None:
    """Start a server, print its one line, and leave with 2 when nothing can listen there."""
    from paravent.sandbox.server import PortTaken

    def ready(port: int) -> None:
        click.echo(f"sandbox {name} ready on {scheme}://{host}:{port}")
        sys.stdout.flush()

    try:
        start(ready)
    except PortTaken as taken:
        click.echo(f"{taken}: choose another with --port or --host", err=True)
        raise SystemExit(2) from None


@sandbox.command()
@_PORT
@_HOST
@_SEED
@click.option("--size", type=click.IntRange(min=1), default=33_000_000, show_default=True, help="Number of persons.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes on the port.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="PEM certificate: serve HTTPS.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM private key of --tls-cert.")
def api(**options: Any) -> None:
    """Serve the reference lookup API."""
    from paravent.sandbox.api import serve
    from paravent.sandbox.population import Population
    from paravent.sandbox.server import Listening

    tls = _tls(options["tls_cert"], options["tls_key"])
    listening = Listening(options["host"], options["port"], options["processes"], tls)
    people = Population(options["seed"], options["size"])
    _run(lambda ready: serve(people, listening, ready), "api", "https" if tls else "http", options["host"])


def _tls(certificate: str | None, key: str | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key go together")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError:
        raise click.UsageError("--tls-cert and --tls-key are no matching pair of PEM files") from None
    return context


@sandbox.command()
@_PORT
@_HOST
@click.option("--issuer", required=True, help="The `iss` of its tokens.")
@click.option("--audience", help="Their `aud`; needed with rfc9068.")
@click.option("--client", default="portail", show_default=True, help="Their `client_id`, unless a request names one.")
@click.option(
    "--profile",
    type=click.Choice(["rfc9068", "pro-sante-connect"]),
    default="rfc9068",
    show_default=True,
    help="Which tokens.",
)
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="PEM certificate: serve HTTPS.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM private key of --tls-cert.")
def issuer(**options: Any) -> None:
    """Serve an issuer that signs whatever it is asked to."""
    from paravent.sandbox.issuer import serve
    from paravent.sandbox.psc import PscMint
    from paravent.sandbox.server import Listening
    from paravent.sandbox.tokens import TokenMint

    url, audience, client = options["issuer"], options["audience"], options["client"]
    if options["profile"] == "rfc9068" and audience is None:
        raise click.UsageError("--audience is needed with rfc9068")
    mint = TokenMint(url, audience, client) if options["profile"] == "rfc9068" else PscMint(url, client)
    tls = _tls(options["tls_cert"], options["tls_key"])
    listening = Listening(options["host"], options["port"], tls=tls)
    scheme = "https" if tls else "http"
    _run(lambda ready: serve(mint, listening, lambda: int(time.time()), ready), "issuer", scheme, options["host"])


@sandbox.command()
@click.option("--issuer", required=True, help="Address of a running `paravent sandbox issuer`.")
@click.option("--rpps", help="Who asks; without it, the first invented practitioner of the profession.")
@click.option(
    "--profession", default="21", show_default=True, help="TRE_G15 code: 10 doctor, 21 pharmacist, 28 optician."
)
@click.option("--method", default="POST", show_default=True, help="Method that the proof is for.")
@click.option("--url", required=True, help="URL that the proof is for.")
@click.option("--acr", default="eidas2", show_default=True)
@click.option("--amr", default="swk,pin,mfa", show_default=True, help="Comma-separated.")
@click.option("--auth-age", "auth_age_s", type=int, default=60, show_default=True, help="Seconds since the login.")
@click.option(
    "--key", type=click.Path(dir_okay=False, path_type=Path), help="PEM file of the DPoP key; made when absent."
)
def token(**options: Any) -> None:
    """Print the two headers that a request needs: a token and the proof for one call.

    With curl: paravent sandbox token … | curl -H @- …
    """
    from paravent.sandbox.practitioners import PROFESSIONS, account_of, practitioner

    profession: str = options["profession"]
    if options["rpps"] is None and profession not in PROFESSIONS:
        raise click.UsageError(f"--rpps is needed for this profession; invented ones: {', '.join(PROFESSIONS)}")
    who = practitioner(0, profession) if options["rpps"] is None else account_of(options["rpps"])
    key = _kept_key(options["key"])
    wish = {
        "rpps": who.rpps,
        "profession": profession,
        "finess": who.finess,
        "acr": options["acr"],
        "amr": [one for one in options["amr"].split(",") if one],
        "auth_age_s": options["auth_age_s"],
        "jkt": key.jkt,
    }
    access_token = _ask(options["issuer"], wish)
    click.echo(f"Authorization: DPoP {access_token}")
    click.echo(f"DPoP: {key.proof(options['method'], options['url'], access_token, int(time.time()))}")


def _kept_key(path: Path | None) -> "DpopKey":
    from paravent.sandbox.proofs import DpopKey

    if path is None:
        return DpopKey.generate()
    if path.exists():
        try:
            return DpopKey.from_pem(path.read_bytes())
        except ValueError:
            raise click.UsageError("--key is not a PEM file of a P-256 key") from None
    key = DpopKey.generate()
    path.touch(mode=0o600)
    path.write_bytes(key.pem())
    return key


def _ask(issuer: str, wish: dict[str, object]) -> str:
    """The access token for a wish, from a running issuer."""
    import orjson

    if not issuer.startswith(("http://", "https://")):
        raise click.UsageError("--issuer is the address of a running issuer, http://…")
    request = Request(issuer.rstrip("/") + "/token", orjson.dumps(wish), {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urlopen(request, timeout=10) as response:  # noqa: S310 - http(s) only, checked above
            return str(orjson.loads(response.read())["access_token"])
    except HTTPError:
        raise click.ClickException("the issuer refused the request") from None
    except URLError:
        raise click.ClickException("no issuer answers there: start one with `paravent sandbox issuer`") from None


@sandbox.command()
@click.argument("index", type=click.IntRange(min=0), default=0)
@_SEED
def person(index: int, seed: int) -> None:
    """Print the body of a consultation about person INDEX, to send to the API or through the proxy."""
    import orjson

    from paravent.sandbox.population import Population

    try:
        one = Population(seed).person(index)
    except IndexError:
        raise click.UsageError("the population has 33 000 000 persons, counted from 0") from None
    body = {
        "immatriculation": one.nir + one.nir_key,
        "dateNaissance": one.birth_date,
        "rangGemellaire": one.birth_rank,
    }
    click.echo(orjson.dumps(body))


if __name__ == "__main__":
    sandbox()
