"""Logs: one JSON object a line on standard error, and only fields from a short list.

A log line of ours is an event's name and a few values of known shape. Other people's records (mitmproxy, asyncio, a
library) keep their level, logger, file and line; their message does not, because it may hold a request: mitmproxy logs
unexpected bytes of the upstream, with what is in them, at INFO.

Whatever would have reached standard error on another way (a warning, a thread's last words, a record that cannot be
formatted) is led through here.
"""

import json
import logging
import re
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Final, TextIO, override

from paravent.nir import contains_identifier

OURS: Final = "paravent"
"""Our logger. A message on it is a constant event name; what varies goes in `extra` under a name of `FIELDS`."""

FIELDS: Final = frozenset(
    {"cause", "count", "issuer", "measure", "place", "problems", "reason", "revision", "source", "worker"}
)

_EVENT: Final = re.compile(r"[a-z][a-z_]{0,63}")
_TEXT: Final = re.compile(r"(?!.*eyJ)[A-Za-z0-9_.:\[\]-]{0,64}")
"""A name, a revision, a version, an address. No blank, slash, quote, at or equals sign: no sentence, no URL. `eyJ` is
how base64url writes the beginning of a JSON object: a token, or a piece of one."""
_NUMBER_END: Final = 1e18
"""No count or time is as large. JSON has no infinity (RFC 8259 section 6), Python prints no integer of 5000 digits."""
_LOGGER: Final = re.compile(r"[A-Za-z0-9_.]{1,80}")
_HIDDEN: Final = "<hidden>"


class JsonFormatter(logging.Formatter):
    """One line of JSON. Exceptions are reduced to their class and the place they were raised."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Never raises for what a record holds: `logging` would print the record instead."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name if _LOGGER.fullmatch(record.name) else _HIDDEN,
        }
        if record.name == OURS and isinstance(record.msg, str) and _EVENT.fullmatch(record.msg):
            line["event"] = record.msg
            line.update({name: _value(record.__dict__[name]) for name in sorted(FIELDS & record.__dict__.keys())})
        else:
            # Also one of ours whose name is a sentence: somebody has formatted something into it.
            line["event"] = "foreign_record"
            line["place"] = f"{record.filename}:{record.lineno}"
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            traceback = record.exc_info[2]
            while traceback is not None and traceback.tb_next is not None:
                traceback = traceback.tb_next
            if traceback is not None:
                code = traceback.tb_frame.f_code
                line["raised_in"] = f"{code.co_filename.rpartition('/')[2]}:{traceback.tb_lineno}"
        return json.dumps(line, ensure_ascii=True)


class _Place(logging.LogRecord):
    """A record of somebody else's, without what it says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.name == OURS:
            return
        # Place and class are all that is kept; a traceback without its exception shows lines of code and no value.
        self.msg, self.args = f"foreign_record {self.filename}:{self.lineno}", ()
        if self.exc_info and self.exc_info[0] is not None:
            self.msg += f" {self.exc_info[0].__name__}"
            self.exc_info = (self.exc_info[0], None, self.exc_info[2])  # type: ignore[assignment]


def keep_places_only() -> None:
    """From here on no handler, whoever installs it, is given what another than we wrote into a record.

    mitmproxy alone brings three: its terminal log, its check for errors at start, and an event for addons.
    """
    logging.setLogRecordFactory(_Place)


def install(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Logger:
    """Make ours the only handler of the process, and its only way to standard error. Returns our logger.

    Warnings and above of others are kept, as places; below that they are noise, and mitmproxy's carry payload.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    keep_places_only()
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    ours = logging.getLogger(OURS)
    ours.setLevel(level)
    # A handler that fails prints the record it could not write, message and arguments, unless told not to.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    _lead_last_words_here(ours)
    return ours


def _lead_last_words_here(ours: logging.Logger) -> None:
    """The interpreter prints an exception that nobody caught, text and all: a row, a path, a piece of a request."""

    def uncaught(kind: type[BaseException], error: BaseException, traceback: object) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        ours.critical("uncaught_exception", exc_info=error)

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            ours.critical("uncaught_exception_in_thread", exc_info=args.exc_value)

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if args.exc_value is not None:
            ours.error("unraisable_exception", exc_info=args.exc_value)

    sys.excepthook = uncaught
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable


def _value(value: object) -> object:
    """Numbers and short plain text, neither when it could be a NIR; nothing else."""
    if isinstance(value, int | float) and not abs(value) < _NUMBER_END:
        return _HIDDEN
    if not isinstance(value, bool | int | float | str | None) or contains_identifier(str(value)):
        return _HIDDEN
    return _HIDDEN if isinstance(value, str) and not _TEXT.fullmatch(value) else value
