"""mitmproxy's options, frozen.

Several of them remove the boundary (threat notes: pass-through by Host, streaming, a wider set of protocols). None
is read from a file, and what they are is asserted at start and at every change.
"""

from typing import Final

from mitmproxy import exceptions, options

FROZEN: Final[dict[str, object]] = {
    "server": True,
    "ignore_hosts": [],
    "allow_hosts": [],
    "tcp_hosts": [],
    "udp_hosts": [],
    "rawtcp": False,
    "websocket": False,
    "http2": False,
    "http3": False,
    "ssl_insecure": False,
    "upstream_cert": False,
    "keep_host_header": False,
    "stream_large_bodies": None,
    "proxy_debug": False,
    "validate_inbound_headers": True,
    "connection_strategy": "lazy",
}


def frozen_options(mode: str) -> options.Options:
    """Options with everything that can be set before the addons declare theirs."""
    opts = options.Options()
    opts.update_defer(mode=[mode], **FROZEN)
    return opts


class Frost:
    """The addon that keeps them so: a change that differs raises, and mitmproxy rolls it back."""

    def __init__(self, mode: str) -> None:
        self._wanted: dict[str, object] = {**FROZEN, "mode": [mode]}

    def configure(self, updated: set[str]) -> None:
        from mitmproxy import ctx  # noqa: PLC0415 (mitmproxy fills it in when a master is made)

        for name in updated & self._wanted.keys():
            if name in ctx.options and getattr(ctx.options, name) != self._wanted[name]:
                raise exceptions.OptionsError(f"option {name} is frozen")
