"""Every call that our code makes while it answers, and any one of them made to fail. Nobody lists them.

    with recorded() as made:
        …                                           # a conversation as usual
    for call in made.calls:                         # each place once, in the order in which it was first reached
        with failing(call, RuntimeError) as raised: # what is called there raises instead, each time
            …
    for function in made.coroutines:                # those that the guard's hooks wait for
        with hanging(function):                     # and what it would do, it never does
            …

A place is a call in a function of ours, also of what is not ours (`orjson.loads`, `dict.get`), or the beginning of a
function, which is how properties and callbacks are called. The interpreter tells of both (PEP 669) and lets whoever
listens raise.
"""

import asyncio
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

import paravent
import paravent_mitmproxy
from paravent_mitmproxy.guard import Guard
from paravent_mitmproxy.listener.client import ClientConnection

OURS: Final = tuple(str(Path(package.__file__ or "").parent) for package in (paravent, paravent_mitmproxy))
TOOL: Final = 4
"""PEP 669: 0 is a debugger's, 1 coverage's, 2 a profiler's."""
BEGINNING: Final = -1
"""The offset of a function's own beginning."""

HOOKS: Final = f"{Guard.__name__}."
WRITER: Final = ClientConnection._send.__qualname__
"""The only place that writes to a client."""

type Fault = Callable[[], BaseException]


@dataclass(frozen=True, slots=True)
class Call:
    """One place."""

    code: CodeType
    offset: int
    callee: str
    in_task: bool
    """Else the event loop called: whatever is no Exception ends the process there, and the kernel every connection."""
    in_hook: bool
    """Called, by whatever way, by a hook of the guard."""
    alone: bool
    """The beginning of what the event loop calls by itself: nothing of ours stands around it that could notice."""
    late: bool
    """Reached when the answer had been handed to the kernel."""

    def __str__(self) -> str:
        what = "its own beginning" if self.offset == BEGINNING else self.callee
        return f"{Path(self.code.co_filename).stem}.{self.code.co_qualname}: {what} at {self.offset}"


@dataclass(slots=True)
class Made:
    """What was called."""

    places: dict[tuple[CodeType, int], Call] = field(default_factory=dict)
    thread: int = field(default_factory=threading.get_ident)
    written: bool = False

    @property
    def calls(self) -> list[Call]:
        return list(self.places.values())

    @property
    def coroutines(self) -> list[FunctionType]:
        """The coroutine functions below the guard's hooks."""
        codes = {call.code for call in self.calls if call.in_hook and call.code.co_flags & inspect.CO_COROUTINE}
        return [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__ in codes]

    def note(self, code: CodeType, offset: int, callee: object) -> object:
        if not code.co_filename.startswith(OURS):
            return sys.monitoring.DISABLE
        name = getattr(callee, "__qualname__", type(callee).__name__)
        # Leaving a `with` is no call that could fail: whoever holds a lock lets it go.
        if threading.get_ident() != self.thread or (code, offset) in self.places or name.endswith("exit__"):
            return None
        self.written = self.written or (code.co_qualname == WRITER and name.endswith(".write"))
        alone = offset == BEGINNING and not _called_by_us()
        self.places[code, offset] = Call(code, offset, name, _in_task(), _in_hook(), alone, self.written)
        return None


def _in_hook() -> bool:
    frame: FrameType | None = sys._getframe(4)
    while frame is not None:
        if frame.f_code.co_qualname.startswith(HOOKS):
            return True
        frame = frame.f_back
    return False


def _called_by_us() -> bool:
    """Of the frame that begins."""
    caller = sys._getframe(3).f_back
    return caller is not None and caller.f_code.co_filename.startswith(OURS)


def _in_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


@contextmanager
def _listening(at_call: Callable[..., Any] | None, at_start: Callable[..., Any] | None) -> Iterator[None]:
    events = sys.monitoring.events
    sys.monitoring.use_tool_id(TOOL, "drill")
    sys.monitoring.register_callback(TOOL, events.CALL, at_call)
    sys.monitoring.register_callback(TOOL, events.PY_START, at_start)
    sys.monitoring.restart_events()
    try:
        yield
    finally:
        sys.monitoring.free_tool_id(TOOL)


@contextmanager
def recorded() -> Iterator[Made]:
    """Note every call of ours on this thread, the event loop's, while this lasts."""
    made = Made()
    events = sys.monitoring.events
    with _listening(
        lambda code, offset, callee, _first: made.note(code, offset, callee),
        lambda code, _offset: made.note(code, BEGINNING, None),
    ):
        sys.monitoring.set_events(TOOL, events.CALL | events.PY_START)
        try:
            yield made
        finally:
            sys.monitoring.set_events(TOOL, 0)


@contextmanager
def failing(call: Call, fault: Fault) -> Iterator[list[BaseException]]:
    """Let this one fail, on this thread. Yields what it raised, so far."""
    events = sys.monitoring.events
    thread = threading.get_ident()
    raised: list[BaseException] = []

    def strike(_code: CodeType, offset: int, *_: object) -> None:
        if threading.get_ident() == thread and call.offset in {offset, BEGINNING}:
            raised.append(fault())
            raise raised[-1]

    with _listening(strike, strike):
        wanted = events.PY_START if call.offset == BEGINNING else events.CALL
        sys.monitoring.set_local_events(TOOL, call.code, wanted)
        try:
            yield raised
        finally:
            sys.monitoring.set_local_events(TOOL, call.code, 0)


@contextmanager
def hanging(function: FunctionType) -> Iterator[None]:
    """Let it never come back."""
    code = function.__code__
    function.__code__ = _endless(len(code.co_freevars))
    try:
        yield
    finally:
        function.__code__ = code


def _endless(variables: int) -> CodeType:
    """The code of a coroutine that waits for ever and closes over so many variables, as that of a function must."""
    names = ", ".join(f"v{number}" for number in range(variables)) + ("," if variables else "()")
    given: dict[str, Any] = {}
    # It will run with the other function's globals.
    lines = (
        f"def make({names.strip('(),')}):",
        "    async def hang(*_, **__):",
        f"        import asyncio; ({names}); await asyncio.Event().wait()",
        "    return hang",
    )
    exec("\n".join(lines), given)
    code: CodeType = given["make"](*range(variables)).__code__
    return code
