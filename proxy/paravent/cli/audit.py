"""`paravent audit`: is the ledger whole?

Exit codes: 0 whole; 1 a record was changed, removed, reordered or cut off, or there is no ledger; 2 nobody knows: the
configuration is wrong, or the ledger cannot be read and what of it can be is right.
"""

import os
import sys
from pathlib import Path

import click
import orjson

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up
from paravent.model import Secret
from paravent.problems import InvalidFiles
from paravent.sinks.verify import Report, ledger_bytes, verify_directory

WHOLE, DAMAGED = 0, 1


@click.group()
def audit() -> None:
    """Read and check the ledger of disclosures."""


@audit.command()
@click.option(
    "--config", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The configuration file (TOML)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, for machines.")
def verify(config: Path, as_json: bool) -> None:
    """Check every line of the ledger against its seal, its neighbours and the head.

    Exits 0 when the ledger is whole, 1 when it is not, 2 when it cannot be read or the configuration is wrong. May run
    beside `serve`.
    """
    from paravent.audit.keys import derive_keys
    from paravent.settings import load_settings

    try:
        settings = load_settings(config, os.environ)
    except InvalidFiles as invalid:
        give_up(invalid.problems, as_json)
    sys.exit(verify_and_tell(settings.audit.path, derive_keys(settings.audit.key).chain, as_json=as_json))


def verify_and_tell(path: Path, chain_key: Secret[bytes], *, as_json: bool) -> int:
    """Check the folder, print what was found, return the exit code."""
    with click.progressbar(
        length=ledger_bytes(path), label="Checking the ledger", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        report = verify_directory(path, chain_key, bar.update)
    click.echo(as_machine(report) if as_json else as_text(report))
    if report.unread:
        return EXIT_WRONG_INPUT
    return WHOLE if report.whole else DAMAGED


def as_machine(report: Report) -> str:
    """The report as one JSON object: whole, records, writers, findings, further, notes."""
    document = {
        "whole": report.whole,
        "records": report.records,
        "writers": report.writers,
        "findings": report.findings,
        "further": report.further,
        "notes": report.notes,
    }
    return orjson.dumps(document).decode()


def as_text(report: Report) -> str:
    """A table of the writers, the findings by file and line, and a last line that says it all."""
    lines = [f"{'writer':<16}  {'files':>6}  {'records':>12}"]
    lines += [
        f"{it.writer:<16}  {it.files:>6}  {it.records:>12}  {'whole' if it.whole else 'not whole'}"
        for it in report.writers
    ]
    lines = [*lines, ""] if report.writers else []
    lines += [str(finding) for finding in report.findings]
    lines += [f"and {report.further} more findings, not listed"] if report.further else []
    lines += [f"note: {note}" for note in report.notes]
    count = f"{report.records} record{'' if report.records == 1 else 's'}"
    found = len(report.findings) + report.further
    verdict = f"The ledger is whole: {count}."
    if report.unread:
        verdict = "The ledger could NOT be read: nobody knows whether it is whole."
    elif not report.whole:
        verdict = f"The ledger is NOT whole: {found} finding{'' if found == 1 else 's'}, {count} with a right seal."
    return "\n".join([*lines, verdict])
