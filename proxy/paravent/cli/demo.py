"""`paravent demo`: an honest day and the attack of March 2022, replayed through sockets, with and without the proxy.

Exit codes: 0 everything was measured; 1 something did not work, and a sentence says what; 2 wrong options.
"""

import json
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from paravent.simulate.play import Play

MARK: Final = "vocabulary.yaml"
"""A folder with this file is a policy."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON on standard output, and nothing else there.")
@click.option("--stay", is_flag=True, help="Leave everything running, and print lines to paste.")
@click.option(
    "--policies",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The policy to put in force. Default: the reference policy of this checkout.",
)
@click.option("--patients", default=200, show_default=True, type=click.IntRange(1, 2000), help="Of the honest day.")
@click.option(
    "--attack-seconds",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.5, 600),
    help="For each attack on the API.",
)
@click.option(
    "--dry-seconds",
    default=34.0,
    show_default=True,
    type=click.FloatRange(0.5, 3600),
    help="For each attack through the proxy, at most: it ends when every account has run dry.",
)
def demo(
    as_json: bool, stay: bool, policies: Path | None, patients: int, attack_seconds: float, dry_seconds: float
) -> None:
    """Replay an honest day and the attack of March 2022, with and without the proxy."""
    from paravent.simulate.play import Play
    from paravent.simulate.processes import PartFailed
    from paravent.simulate.report import as_json as figures_as_json
    from paravent.simulate.report import as_table

    original = policies or find_policies(Path(__file__))
    if original is None:
        _fail("there is no policies/ folder above this package: name one with --policies")
    with _folder() as folder:
        try:
            shutil.copytree(original, folder / "policies")
            with Play(folder, folder / "policies", patients) as play:
                figures = play.all(attack_seconds, dry_seconds)
                click.echo(json.dumps(figures_as_json(figures)) if as_json else as_table(figures))
                if stay:
                    _stay(play, as_json)
        except PartFailed as failed:
            _fail(str(failed))
        except (OSError, RuntimeError, LookupError) as failure:
            _fail(f"{type(failure).__name__}: {failure}")


def find_policies(package_file: Path) -> Path | None:
    """The nearest `policies` folder above a file of the package."""
    folders = (parent / "policies" for parent in package_file.resolve().parents)
    return next((folder for folder in folders if (folder / MARK).is_file()), None)


@contextmanager
def _folder() -> Iterator[Path]:
    """A private folder that is removed at the end, also after SIGTERM or a closed terminal."""

    def interrupt(_signum: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupt)
    with tempfile.TemporaryDirectory(prefix="paravent-demo-") as folder:
        yield Path(folder)


def _stay(play: "Play", as_json: bool) -> None:
    """Until Ctrl-C."""
    from paravent.simulate.stay import PAUSE_S, REFRESH_S

    try:
        showcase = play.showcase()
        showcase.refresh()
        showcase.keep_spent()
        click.echo("\nStill running. Paste these; Ctrl-C ends it.", err=as_json)
        for line in showcase.lines():
            click.echo(f"\n# {line.says}\n{line.command}", err=as_json)
        refreshed_s = time.monotonic()
        while True:
            time.sleep(PAUSE_S)
            play.check()
            if time.monotonic() - refreshed_s > REFRESH_S:
                showcase.refresh()
                refreshed_s = time.monotonic()
            showcase.keep_spent()
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)


def _fail(sentence: str) -> NoReturn:
    click.echo(f"demo: {sentence}", err=True)
    raise SystemExit(1)
