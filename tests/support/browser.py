"""A real browser: headless Chromium, told what to do over the pipe of its DevTools protocol.

async with chromium(folder, {"droits.example": 8443}, [server.certificate]) as browser:
    page = await browser.open("https://portail.example/")      # loaded, scripts included
    await page.run("document.title")                           # the value of an expression, awaited
    page.responses                                             # what it received: URL, status, protocol, headers

Names are mapped to ports of this machine and nothing else is resolved. The certificates that are given are trusted by
their key. https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import base64
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ANSWER_S: Final = 60.0
"""For one command, and for a page to load. Both take tens of milliseconds on a machine that does nothing else."""

OPTIONS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it refuses to start as root with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
)

PREFERENCES: Final = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}
"""Cookies of other sites are sent, as browsers did for thirty years, and as some still do."""

_LAUNCH: Final = (
    "import os,sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads commands on descriptor 3 and answers on 4."""


def installed() -> str:
    """The path of Chromium. Fails the test when it is absent."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("Chromium is not installed: sudo apt install chromium")
    return found


@dataclass(slots=True)
class Page:
    """A tab."""

    browser: "Browser"
    session: str
    responses: list[Mapping[str, Any]] = field(default_factory=list)
    """`response` of Network.responseReceived, in order."""
    loaded: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell(self, method: str, **params: Any) -> Any:
        return await self.browser.tell(method, self.session, **params)

    async def run(self, expression: str) -> Any:
        """In the page, as a script of it. Raises AssertionError when it throws."""
        result = await self.tell("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def leave(self, expression: str) -> None:
        """Run what leads to another page, and wait until that has loaded."""
        self.loaded.clear()
        await self.run(expression)
        await self._load()

    async def type(self, url: str) -> None:
        """An address, as somebody types it, and wait until the page has loaded."""
        self.loaded.clear()
        await self.tell("Page.navigate", url=url, transitionType="typed")
        await self._load()

    async def _load(self) -> None:
        async with asyncio.timeout(ANSWER_S):
            await self.loaded.wait()

    async def document(self) -> str:
        """The document as it is now, scripts having run."""
        return str(await self.run("document.documentElement.outerHTML"))


class Browser:
    """A running one."""

    def __init__(self, reader: asyncio.StreamReader, commands: asyncio.WriteTransport) -> None:
        self._reader, self._commands = reader, commands
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[str, Page] = {}
        self._listening = asyncio.create_task(self._listen())

    async def open(self, url: str) -> Page:
        """A new tab with this address, loaded."""
        target = (await self.tell("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.tell("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime"):
            await page.tell(f"{domain}.enable")
        await page.type(url)
        return page

    async def set_cookie(self, url: str, name: str, value: str) -> None:
        """As the server of that address would, in a way that strangers' pages send as well."""
        cookie = {"url": url, "name": name, "value": value, "path": "/", "secure": True, "httpOnly": True}
        await self.tell("Storage.setCookies", cookies=[{**cookie, "sameSite": "None"}])

    async def tell(self, method: str, session: str | None = None, **params: Any) -> Any:
        number = next(self._numbers)
        self._waiting[number] = waiting = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        self._commands.write(json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(ANSWER_S):
            return await waiting

    async def close(self) -> None:
        """Once is enough."""
        if self._listening.done():
            return
        with contextlib.suppress(ConnectionError, TimeoutError):
            await self.tell("Browser.close")
        self._listening.cancel()
        await asyncio.wait([self._listening])
        self._commands.close()

    async def _listen(self) -> None:
        try:
            while True:
                self._take(json.loads((await self._reader.readuntil(b"\0"))[:-1]))
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the browser has ended"))

    def _take(self, message: Mapping[str, Any]) -> None:
        waiting = self._waiting.pop(message.get("id", 0), None)
        if waiting is not None and not waiting.done():
            if "error" in message:
                waiting.set_exception(AssertionError(message["error"]))
            else:
                waiting.set_result(message["result"])
        page = self._pages.get(message.get("sessionId", ""))
        match message.get("method"):
            case "Network.responseReceived" if page:
                page.responses.append(message["params"]["response"])
            case "Page.loadEventFired" if page:
                page.loaded.set()


def _key_of(certificate: Path) -> str:
    """SHA-256 of the subject's public key, in base64."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()


@asynccontextmanager
async def chromium(folder: Path, hosts: Mapping[str, int], trusted: Sequence[Path]) -> AsyncIterator[Browser]:
    """Start it with a profile in `folder`, and end it. `hosts`: name → port of 127.0.0.1."""
    preferences = folder / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps(PREFERENCES))
    rules = [f"MAP {name}:443 127.0.0.1:{port}" for name, port in hosts.items()]
    options = [
        *OPTIONS,
        f"--user-data-dir={folder / 'profile'}",
        f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND'])}",
        f"--ignore-certificate-errors-spki-list={','.join(_key_of(each) for each in trusted)}",
    ]
    commands, answers = _pipe(), _pipe()
    with (folder / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _LAUNCH, str(commands[0]), str(answers[1]), installed(), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(commands[0], answers[1]),
            env={**os.environ, "HOME": str(folder)},
        )
    os.close(commands[0])
    os.close(answers[1])
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers[0], "rb"))
    transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(commands[1], "wb"))
    browser = Browser(reader, transport)
    try:
        yield browser
    finally:
        await browser.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _pipe() -> tuple[int, int]:
    """Both ends above 4, so that neither is in the way of the other."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
