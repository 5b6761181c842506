"""commands.md, from the commands themselves (click). Exit codes stand here: a command does not declare them."""

from collections.abc import Iterator, Mapping
from typing import Final

import click

from generator.markdown import code, made_by, table
from paravent.cli import main

_INTRODUCTION: Final = """\
`./dev shell paravent …` runs the product from a clone; `./dev shell` alone opens a shell where `paravent` is a command.
Of any command exit code 3 says that its answer could not be written, as where standard output goes to a full disk.

"""

_DEV: Final = """\
## ./dev

| command | does |
|---|---|
| `./dev demo` | [`paravent demo`](#paravent-demo) |
| `./dev test` | every test; arguments go to pytest |
| `./dev lint` | ruff, mypy and the import rules |
| `./dev bench` | the proxy beside stock mitmdump, a bare relay and the upstream; writes `bench/results/` |
| `./dev soak` | whether memory grows in 200 000 requests each way (`--requests` for fewer); writes `bench/results/` |
| `./dev fuzz` | the property tests, fifty times as hard; `PARAVENT_EFFORT=500` for longer |
| `./dev shell` | a command, or a shell, in the project's environment |
| `./dev lock` | the pinned requirements anew; needs uv |

All of them make `.venv` first when it is absent or out of date. `./dev test` and `./dev bench` also install the Debian
packages that they drive, when they may. Exit code 3: no suitable Python.
"""

_STOPPED: Final = "stopped by a signal"
_WRONG_OPTIONS: Final = "wrong options"
_NOT_HERE: Final = "the port is taken or cannot be listened on, or wrong options"

EXITS: Final[Mapping[str, Mapping[int, str]]] = {
    "serve": {
        0: _STOPPED,
        1: "a node could not show that its boundary holds: nothing was served",
        2: "configuration or policy is wrong, an address is taken, or `SSLKEYLOGFILE` or `MITMPROXY_SSLKEYLOGFILE` is "
        "set: nothing was started",
    },
    "demo": {0: "everything was measured", 1: "something did not work; a sentence says what", 2: _WRONG_OPTIONS},
    "check": {
        0: "nothing is wrong with what can be looked at; what can only be tried, as writing, `serve` finds out",
        1: "a node could not show that its boundary holds",
        2: "there are problems",
    },
    "policy check": {0: "the policy can be used", 2: "there are problems"},
    "policy blast-radius": {
        0: "printed, and nothing grew",
        1: "a theft could expose more persons than under `--against`",
        2: "there are problems",
    },
    "policy drift": {
        0: "listed, also when nothing is new",
        1: "the management listener did not answer",
        2: "the configuration has problems",
    },
    "policy schema": {0: "printed", 2: "no such kind of file"},
    "audit verify": {
        0: "the ledger is whole",
        1: "a record was changed, removed, reordered or cut off, or there is no ledger",
        2: "the configuration is wrong, or the ledger cannot be read and what of it can be is right: nobody knows",
    },
    "revoke": {
        0: "it is in the list, or lifted from it",
        1: "the state store did not answer: nothing was changed, or a sentence says that it is not known; or the "
        "ledger could not be written: it is revoked all the same, and nothing is lifted",
        2: "the configuration, what is to be revoked or what was said is not written as it should: nothing was changed",
    },
    "revocations": {0: "listed", 1: "the state store did not answer", 2: "the configuration is wrong"},
    "grant": {
        0: "granted, or withdrawn",
        1: "the state store did not answer or has no such grant, or the ledger could not be written: "
        "nothing was changed, or a sentence says that it is not known",
        2: "something is not written as it should, or the policy does not allow it: nothing was changed",
    },
    "grants": {0: "listed", 1: "the state store did not answer", 2: "the configuration is wrong"},
    "practitioner show": {
        0: "shown",
        1: "the state store did not answer",
        2: "the configuration, the policy, the file of revocations or the number is not written as it should",
    },
    "practitioner suspend": {
        0: "suspended",
        1: "the state store did not answer, or the ledger could not be written: nothing was changed, or a sentence "
        "says that it is not known",
        2: "the configuration or what was said is not written as it should: nothing was changed",
    },
    "practitioner release": {
        0: "let in again",
        1: "they were not suspended, the state store did not answer, or the ledger could not be written",
        2: "the configuration or what was said is not written as it should: nothing was changed",
    },
    "status": {
        0: "every worker is ready",
        1: "one is not, or does not answer, or the state store did not",
        2: "the configuration or the policy is wrong",
    },
    "sandbox api": {0: _STOPPED, 2: _NOT_HERE},
    "sandbox issuer": {0: _STOPPED, 2: _NOT_HERE},
    "sandbox token": {0: "printed", 1: "the issuer refused, or none answers", 2: _WRONG_OPTIONS},
    "sandbox person": {0: "printed", 2: "there is no such person"},
}
"""By command: exit code → what it says."""


def page() -> str:
    """The whole page."""
    commands = dict(leaves(main, ""))
    overview = table(
        ("command", "does"),
        [(f"[`paravent {path}`](#{_anchor(path)})", _first(each)) for path, each in commands.items()],
    )
    sections = "".join(_section(path, command) for path, command in commands.items())
    return "# Commands\n\n" + made_by("the commands themselves") + _INTRODUCTION + overview + "\n" + sections + _DEV


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words after `paravent`."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is not None:
            yield from leaves(below, f"{path} {name}".strip())


def _section(path: str, command: click.Command) -> str:
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    options = [each for each in command.params if isinstance(each, click.Option)]
    words = [f"paravent {path}", "[OPTIONS]" if options else "", *(_argument(each) for each in arguments)]
    text = f"## paravent {path}\n\n    {' '.join(filter(None, words))}\n\n{_help(command)}\n\n"
    if options:
        rows = [(code(_spelling(each)), _default(each), each.help or "") for each in options]
        text += table(("option", "default", "meaning"), rows) + "\n"
    exits = [(str(number), meaning) for number, meaning in sorted(EXITS[path].items())]
    return text + table(("exit code", "says"), exits) + "\n"


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _help(command: click.Command) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _first(command: click.Command) -> str:
    """The first sentence of its help."""
    return _help(command).partition("\n")[0].partition(". ")[0].rstrip(".") + "."


def _spelling(option: click.Option) -> str:
    return option.opts[0] if option.is_flag else f"{option.opts[0]} {_metavar(option)}"


def _metavar(option: click.Option) -> str:
    return option.type.name.split()[0].upper()


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    return code(option.default) if option.show_default and not option.is_flag else ""


def _anchor(path: str) -> str:
    return "paravent-" + path.replace(" ", "-")
