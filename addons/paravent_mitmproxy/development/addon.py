"""What `mitmdump -s addons/guard.py` loads: the latch first, then its proof, then options, engine and guard.

Whatever is wrong ends the process with a sentence on standard error. mitmproxy would log it and go on without us.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import click
from mitmproxy import ctx
from mitmproxy.addonmanager import Loader
from mitmproxy.exceptions import OptionsError

from paravent.cli.problems import EXIT_WRONG_INPUT, give_up
from paravent.problems import InvalidFiles
from paravent.settings import Settings, load_settings
from paravent.telemetry import logs
from paravent.wiring import Runtime, build
from paravent_mitmproxy.development import drill, latch
from paravent_mitmproxy.development.guard import LatchedGuard
from paravent_mitmproxy.development.options import CONFIG, FREE, MUST, Unfit, harden
from paravent_mitmproxy.listener.upstream import host_header, written
from paravent_mitmproxy.options import Frost, refuse_key_logging

NOTICE: Final = (
    "paravent: DEVELOPMENT on mitmproxy's own layers, for this machine only. No client certificates, no limits on "
    "connections, no strict parsing. Production runs `paravent serve`."
)


class Development:
    """Loads a guard, and gives it back when mitmproxy unloads the script. The latch stays."""

    def __init__(self) -> None:
        self.addons: list[object] = []
        """mitmproxy asks those after us."""
        self._runtime: Runtime | None = None
        self._watching: asyncio.Task[None] | None = None

    def load(self, loader: Loader) -> None:
        """Before the first request, or not at all."""
        try:
            loader.add_option(CONFIG, str, "", "Paravent's configuration, a TOML file.")
            ctx.options.process_deferred()
            self._load()
        except InvalidFiles as invalid:
            give_up(invalid.problems)
        except (Unfit, OptionsError, latch.Moved, drill.LatchOpen) as refusal:
            _end(str(refusal))
        except Exception as failure:
            _end(f"the guard could not be loaded ({type(failure).__name__})")

    def running(self) -> None:
        """The policy is read again when it changes, as in production."""
        if self._runtime is not None:
            self._watching = asyncio.get_running_loop().create_task(self._runtime.watch_policy())
            where = ctx.master.addons.get("proxyserver").listen_addrs()
            click.echo(f"{NOTICE} Listening on {', '.join(sorted(f'{host}:{port}' for host, port, *_ in where))}.")

    def done(self) -> None:
        """The script was removed, has changed, or mitmdump ends."""
        if self._watching is not None:
            self._watching.cancel()
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None

    def _load(self) -> None:
        refuse_key_logging(os.environ)
        if not latch.installed() and ctx.master.addons.get("proxyserver").active_connections():
            raise Unfit("somebody connected before the latch was in place: start again")
        latch.install()
        logs.keep_places_only()
        if not ctx.options.paravent_config:
            raise Unfit(f"which configuration? --set {CONFIG}=paravent.toml")
        settings = load_settings(Path(ctx.options.paravent_config).absolute(), os.environ)
        harden(ctx.options, settings)
        drill.run(ctx.options)
        runtime = self._runtime = build(settings)
        frost = Frost(ctx.options.mode[0], ctx.options, FREE, MUST)
        self.addons = [frost, LatchedGuard(runtime.engine, runtime.metrics, _writer(settings))]


def _writer(settings: Settings) -> Callable[..., bytes | None]:
    upstream = settings.upstream
    return partial(written, host=host_header(upstream.host, upstream.port, tls=upstream.tls))


def _end(why: str) -> NoReturn:
    click.echo(f"paravent: {why}. Nothing is served.", err=True)
    raise SystemExit(EXIT_WRONG_INPUT)
