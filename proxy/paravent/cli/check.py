"""`paravent check`: everything `serve` would refuse to start with, without serving.

The start-up canary sings too, in a node of its own: on a loopback port, with a state and a ledger that are thrown away,
and without issuers, so that nothing is asked of anybody.
"""

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from paravent.cli.problems import give_up, remark

if TYPE_CHECKING:
    from paravent.settings import Settings
    from paravent_mitmproxy.canary import Proof


@click.command()
@click.option(
    "--config", "config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The TOML file."
)
@click.option("--json", "as_json", is_flag=True, help="Problems as JSON on standard output.")
def check(config: Path, as_json: bool) -> None:
    """Check the configuration, the files it names and the policy, and what the boundary lets through."""
    from paravent.policy.notes import notes
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings
    from paravent.wiring import load_rulebook

    try:
        settings = load_settings(config, os.environ)
        remark(settings.notes)
        rules = load_rulebook(settings)
        remark(notes(rules.policy))
        proofs = _proofs(settings)
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    policy = rules.policy
    holds = all(proof.holds for proof in proofs)
    if as_json:
        import json

        shown = [{"name": proof.name, "sentence": proof.sentence, "holds": proof.holds} for proof in proofs]
        click.echo(json.dumps({"problems": [], "revision": policy.revision, "proofs": shown}))
    else:
        for proof in proofs:
            click.echo(f"{'shown' if proof.holds else 'NOT SHOWN'}: {proof.sentence}")
        click.echo(
            f"{config}: {'good' if holds else 'NOT good'}. Policy {policy.revision}: "
            f"{len(policy.operations)} operations, {len(policy.views)} views, {len(policy.professions)} professions."
        )
    if not holds:
        raise SystemExit(1)


def _proofs(settings: "Settings") -> "list[Proof]":
    from paravent.settings import Address, Metrics, Sqlite
    from paravent_mitmproxy.master import prove

    anywhere = Address("127.0.0.1", 0)
    with TemporaryDirectory(prefix="paravent-check-") as folder:
        apart = replace(
            settings,
            listen=replace(settings.listen, address=anywhere, workers=1),
            issuers={},
            state=Sqlite(Path(folder) / "state.db"),
            audit=replace(settings.audit, path=Path(folder) / "audit"),
            metrics=Metrics(anywhere),
        )
        return prove(apart)
