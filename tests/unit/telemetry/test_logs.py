"""Logs: one JSON line a record, fields from a list, and never what a request held."""

import ast
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paravent.telemetry import logs

NIR = "2840599990003"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
URL = "https://droits.example/v1/droits?nom=DURAND"
PAYLOAD = f"{NIR} {TOKEN} {URL}"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Installs the log on a string; puts everything it replaced back afterwards."""
    root, ours = logging.getLogger(), logging.getLogger(logs.OURS)
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions)
    factory = logging.getLogRecordFactory()
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    with warnings.catch_warnings():
        text = io.StringIO()
        logs.install(text)
        yield text
        logging.captureWarnings(False)
    logging.setLogRecordFactory(factory)
    root.handlers[:], root.level, ours.level, logging.raiseExceptions = before
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_its_name_and_listed_fields(stream: io.StringIO) -> None:
    """An event of ours is written with the fields of the list and without any other."""
    extra = {"revision": "9f86d081884c7d65", "count": 3, "problems": 0.5, "place": "[::1]:8443", "nir": NIR}
    logging.getLogger("paravent").info("policy_loaded", extra=extra)
    (line,) = lines(stream)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "paravent",
        "event": "policy_loaded",
        "revision": "9f86d081884c7d65",
        "count": 3,
        "problems": 0.5,
        "place": "[::1]:8443",
    }


@pytest.mark.parametrize(
    "field",
    [
        pytest.param(NIR, id="a NIR as text"),
        pytest.param(int(NIR), id="a NIR as a number"),
        pytest.param("2_84_05_99_990_003", id="a NIR in pieces"),
        pytest.param(10**5000, id="a number that Python will not print"),
        pytest.param(float("inf"), id="a number that JSON does not have"),
        pytest.param(float("nan"), id="no number"),
        pytest.param(TOKEN, id="a short token"),
        pytest.param(URL, id="a URL"),
        pytest.param("could not parse 'x'", id="a sentence"),
        pytest.param("a\nb", id="a line break"),
        pytest.param(ValueError(PAYLOAD), id="an exception"),
        pytest.param({"nir": NIR}, id="a mapping"),
        pytest.param(b"\xff" + NIR.encode(), id="bytes"),
        pytest.param("x" * 65, id="a long text"),
    ],
)
def test_a_field_that_is_no_plain_value_is_hidden(stream: io.StringIO, field: object) -> None:
    """A listed field holds a number or a short plain word, or nothing."""
    logging.getLogger("paravent").warning("event", extra={"cause": field})
    assert lines(stream)[0]["cause"] == "<hidden>"
    assert NIR not in stream.getvalue()


def test_a_formatted_message_is_not_an_event(stream: io.StringIO) -> None:
    """Whoever formats a value into an event's name finds the place in the log and not the value."""
    logging.getLogger("paravent").error(f"lookup of {NIR} failed")
    (line,) = lines(stream)
    assert line["event"] == "foreign_record"
    assert line["place"].startswith("test_logs.py:")
    assert NIR not in stream.getvalue()


@pytest.mark.parametrize("name", ["mitmproxy.proxy.server", "asyncio", "paravent.child", "root", f"odd {NIR}"])
def test_others_keep_level_and_place_only(stream: io.StringIO, name: str) -> None:
    """A record of another logger has no message, arguments or listed fields in the log."""
    logging.getLogger(name).error("unexpected: %s", PAYLOAD, extra={"cause": "x"})
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert line["place"].startswith("test_logs.py:")
    assert "cause" not in line
    assert NIR not in stream.getvalue()
    assert "unexpected" not in stream.getvalue()


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL])
def test_what_mitmproxy_says_reaches_no_sink(stream: io.StringIO, level: int) -> None:
    """Its own loggers, whose messages hold pieces of requests, at every level; its own handlers, and anybody's."""
    import mitmproxy.tools.dump as _all_of_mitmproxy  # noqa: F401
    from mitmproxy.log import MitmFormatter, MitmLogHandler

    entries: list[str] = []

    class Sink(MitmLogHandler):
        def emit(self, record: logging.LogRecord) -> None:
            entries.append(self.format(record) + repr(record.__dict__))

    handler = Sink(logging.NOTSET)
    handler.setFormatter(MitmFormatter(colorize=False))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    loggers = [name for name in logging.root.manager.loggerDict if name.startswith("mitmproxy")]
    assert len(loggers) > 20
    for name in ("", *loggers):
        logger = logging.getLogger(name or None)
        logger.log(level, "Unexpected data from server: %r", PAYLOAD.encode())
        logger.log(level, f"{PAYLOAD}", stack_info=True)
        try:
            raise ValueError(PAYLOAD)
        except ValueError:
            logger.log(level, PAYLOAD, exc_info=True)
    assert len(entries) == 3 * (len(loggers) + 1)
    for text in (stream.getvalue(), *entries):
        assert not any(secret in text for secret in (NIR, TOKEN, "DURAND", "Unexpected"))
    assert "ValueError" in entries[2]
    assert "test_logs.py:" in entries[2]


def test_others_below_warning_are_dropped(stream: io.StringIO) -> None:
    """mitmproxy's INFO, which quotes the upstream, does not reach the log."""
    logging.getLogger("mitmproxy").info("server sent %s", PAYLOAD)
    assert stream.getvalue() == ""


def test_an_exception_is_its_class_and_place(stream: io.StringIO) -> None:
    """Of an exception, the class and where it was raised; not its text, nor that of its cause."""
    try:
        try:
            json.loads("{" + PAYLOAD)
        except ValueError as cause:
            raise KeyError(PAYLOAD) from cause
    except KeyError:
        logging.getLogger("paravent").exception("hook_failed", extra={"cause": "request"})
    (line,) = lines(stream)
    assert line["exception"] == "KeyError"
    assert line["raised_in"].startswith("test_logs.py:")
    assert line["cause"] == "request"
    assert NIR not in stream.getvalue()


def test_a_record_that_cannot_be_written_is_not_printed(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the stream fails, logging's own report, which quotes the record, does not appear."""
    stream.close()
    logging.getLogger("paravent").error("event %s", PAYLOAD)
    assert capsys.readouterr().err == ""


def test_the_last_words_of_a_thread_are_led_to_the_log(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """A thread that ends in an exception leaves its class and place, and no traceback."""

    def work() -> None:
        raise ValueError(PAYLOAD)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["exception"]) == ("uncaught_exception_in_thread", "ValueError")
    assert NIR not in stream.getvalue() + capsys.readouterr().err


def test_the_last_words_of_the_process_are_led_to_the_log(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception that nobody caught leaves its class and place; Ctrl-C leaves nothing."""
    try:
        raise ValueError(PAYLOAD)
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    (line,) = lines(stream)
    assert (line["event"], line["exception"]) == ("uncaught_exception", "ValueError")
    assert NIR not in stream.getvalue() + capsys.readouterr().err


def test_an_exception_that_cannot_be_raised_is_led_to_the_log(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception in a destructor leaves its class and place, and not the object's repr."""

    class Holder:
        def __del__(self) -> None:
            raise ValueError(PAYLOAD)

    holder = Holder()
    del holder
    (line,) = lines(stream)
    assert (line["event"], line["exception"]) == ("unraisable_exception", "ValueError")
    assert NIR not in stream.getvalue() + capsys.readouterr().err


def test_a_python_warning_is_a_foreign_record(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning, whose text may show an object, is written as a place."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(f"unclosed {PAYLOAD}", ResourceWarning, stacklevel=1)
    (line,) = lines(stream)
    assert (line["logger"], line["event"]) == ("py.warnings", "foreign_record")
    assert NIR not in stream.getvalue() + capsys.readouterr().err


def named_in_extra() -> Iterator[tuple[str, str]]:
    """Every field that our code gives a record, and the file that gives it."""
    root = Path(__file__).resolve().parents[3]
    for file in [*(root / "proxy").rglob("*.py"), *(root / "addons").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                for key in node.value.keys:
                    assert isinstance(key, ast.Constant), f"{file.name}: a field without a constant name"
                    yield str(key.value), file.name


def test_no_field_is_given_in_vain_and_none_is_listed_in_vain() -> None:
    """A field outside the list is dropped without a word, and its reader looks for it on the night that it matters."""
    given = dict(named_in_extra())
    assert given.keys() == logs.FIELDS, {name: given.get(name) for name in given.keys() ^ logs.FIELDS}


def test_where_a_revocation_file_is_wrong_reaches_the_line(stream: io.StringIO) -> None:
    """File, line and column; and the list that changed, and why a logout was refused, by name."""
    log = logging.getLogger(logs.OURS)
    log.error("revocations_refused", extra={"place": "revoked.yaml:12:3"})
    log.info("revocations_changed", extra={"source": "state", "count": 2})
    log.warning("logout_refused", extra={"reason": "told_before"})
    said = [{name: line.get(name) for name in ("place", "source", "reason")} for line in lines(stream)]
    assert said == [
        {"place": "revoked.yaml:12:3", "source": None, "reason": None},
        {"place": None, "source": "state", "reason": None},
        {"place": None, "source": None, "reason": "told_before"},
    ]
