"""A real HTTP server on a free port that answers each POST with what it is told to.

with canned(lambda number: (429, {"Retry-After": "590"}, b"{}")) as origin:
    …                                   # `number` counts the requests from 0
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

type Canned = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


@contextmanager
def canned(answer: Callable[[int], Canned], *, per_connection: int | None = None) -> Iterator[str]:
    """Its origin. With `per_connection`, it closes each connection after so many answers, without saying so."""
    numbers = iter(range(10**9))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.left = per_connection

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, body = answer(next(numbers))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if self.left is not None:
                self.left -= 1
                self.close_connection = self.left == 0

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
