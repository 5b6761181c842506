"""`paravent status`: how this machine's node is, and who uses most of their budget."""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from paravent.cli.problems import give_up

if TYPE_CHECKING:
    from paravent.cli.busiest import Row
    from paravent.settings import Settings

_PROFESSIONS_SINCE: Final = timedelta(days=1)
"""How far back the ledger is read for the professions of those who ask."""


@click.command()
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--top", type=click.IntRange(0, 1000), default=0, help="So many who use most of their budget of persons.")
@click.option("--rpps", is_flag=True, help="Name them by RPPS number, and not by a keyed hash.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, for machines.")
def status(config: Path, top: int, rpps: bool, as_json: bool) -> None:
    """Ask the node of --config, every worker of it, whether it is ready; list who uses most of their budget.

    Usage is that of all nodes. A profession is what the ledger of this machine said in the last day; where it says
    nothing, the widest limit of all professions is taken. Nothing is changed.

    Exits 0 when every worker is ready, 1 when one is not or the state store did not answer, 2 when the configuration
    or the policy is wrong.
    """
    from paravent.cli.busiest import table
    from paravent.cli.listener import addresses
    from paravent.problems import InvalidFiles
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
        workers = [_checks(host, port) for host, port in addresses(settings)]
        if not as_json:
            # At once: what follows needs the state store, and its outage is when this is asked for.
            click.echo("\n".join(f"worker {number}: {_said(checks)}" for number, checks in enumerate(workers, 1)))
        rows = _rows(settings, top, rpps) if top else []
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    ready = all(checks is not None and checks.get("ready") is True for checks in workers)
    if as_json:
        click.echo(json.dumps({"ready": ready, "workers": workers, "top": rows}))
    elif top:
        click.echo("\n".join(["", *table(rows)]) if rows else "Nobody has used anything.")
    if not ready:
        raise SystemExit(1)


def _rows(settings: "Settings", most: int, named: bool) -> "list[Row]":
    from paravent.audit.keys import derive_keys
    from paravent.books import usage_book
    from paravent.cli.busiest import Sheet, by_practitioner, rows_of, spans
    from paravent.cli.measures import answered, read
    from paravent.sinks.history import professions_in
    from paravent.wiring import load_rulebook

    policy = load_rulebook(settings).policy
    now_s = int(time.time())
    used = answered(usage_book(settings).persons(spans(policy.quotas), now_s * 1000))
    measures = read(settings)
    since = datetime.fromtimestamp(now_s, UTC) - _PROFESSIONS_SINCE
    sheet = Sheet(
        policy,
        professions_in(settings.audit.path, since.strftime("%Y-%m-%dT%H:%M:%S")),
        by_practitioner(measures),
        derive_keys(settings.audit.key).practitioner,
        now_s,
    )
    return rows_of(used, sheet, most, named=named)


def _checks(host: str, port: int) -> dict[str, object] | None:
    """What /readyz says; None when nobody answers, or not with that."""
    from paravent.cli.listener import fetched

    try:
        checks = json.loads(fetched(host, port, "/readyz")[1])
    except (OSError, ValueError):
        return None
    return checks if isinstance(checks, dict) else None


def _said(checks: dict[str, object] | None) -> str:
    if checks is None:
        return "does not answer"
    each = checks.get("checks")
    not_well = sorted(name for name, well in each.items() if not well) if isinstance(each, dict) else []
    word = "ready" if checks.get("ready") is True else "not ready"
    return f"{word}{': not well: ' + ', '.join(not_well) if not_well else ''}"
