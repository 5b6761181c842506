"""The proxy of the demo's honest day: what `paravent serve` runs, under a clock that the replay moves.

    python -m paravent.cli.demo_node CONFIG CLOCK

Started by `paravent demo` alone, and no verb of the command line: nothing that serves patients can move time.
"""

import sys
from pathlib import Path

from paravent.cli.problems import give_up
from paravent.problems import InvalidFiles
from paravent.settings import load_settings
from paravent.simulate.clock import ReplayClock
from paravent_mitmproxy.master import run


def main(config: str, clock: str) -> None:
    """Serve until a signal. The environment's settings do not reach it."""
    try:
        run(load_settings(Path(config), {}), clock=ReplayClock(Path(clock)))
    except InvalidFiles as invalid:
        give_up(invalid.problems)


if __name__ == "__main__":
    main(*sys.argv[1:])
