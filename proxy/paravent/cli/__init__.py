"""The command line. One file a verb; a verb imports what it needs when it runs, so that the others start fast.

Exit codes: 0 done, 1 the answer is no (a broken ledger, a failed check), 2 the input is wrong and nothing was started,
3 the answer could not be written, whatever it was.
"""

import errno
import importlib
import os
import sys
from typing import Final, override

import click

from paravent import __version__

VERBS: Final = {
    "serve": "Run the proxy.",
    "demo": "Replay an honest day and the attack of March 2022, with and without the proxy.",
    "check": "Check the configuration and the policy it names, and what the boundary lets through.",
    "policy": "Work on a policy: check it, say what a theft could expose, list what it does not name.",
    "audit": "Verify the ledger.",
    "revoke": "Accept a token, a login, a practitioner, a client, a certificate or a key no more.",
    "revocations": "List what is revoked.",
    "grant": "Raise one practitioner's limits of persons for a time.",
    "grants": "List the grants that stand.",
    "practitioner": "Look at one practitioner, suspend them for a time, let them in again.",
    "status": "Say how the node is, and who uses most of their budget.",
    "sandbox": "Run the reference API and a token issuer, for the demo and for development.",
}


EXIT_UNSAID: Final = 3


class Verbs(click.Group):
    """Finds `paravent.cli.<verb>` and its command of the same name."""

    @override
    def invoke(self, ctx: click.Context) -> object:
        """A disk that is full under `paravent audit verify > report` is no finding, and no traceback."""
        try:
            return super().invoke(ctx)
        except OSError as failure:
            if failure.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO} or failure.filename is not None:
                raise
            click.echo(f"paravent: the answer could not be written: {failure.strerror}.", err=True)
            # What is left in the buffer would fail once more when the interpreter ends, with exit code 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(EXIT_UNSAID) from None

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"paravent.cli.{cmd_name}")
        command = getattr(module, cmd_name)
        return command if isinstance(command, click.Command) else None

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="paravent")
def main() -> None:
    """A data-minimisation reverse proxy for beneficiary-rights lookups."""
