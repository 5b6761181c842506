"""mitmproxy's options, frozen.

Several of them remove the boundary (pass-through by Host, streaming, a wider set of protocols). None is read from a
file. What they are is asserted at start, every one of them; a change afterwards is refused, whatever it is.
"""

from collections.abc import Mapping
from typing import Final

from mitmproxy import exceptions, options

from paravent.problems import InvalidFiles, Problem

KEY_LOGGING: Final = ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE")
"""Variables that make a TLS library write session keys to a file."""

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
    "store_streamed_bodies": False,
    "proxy_debug": False,
    "validate_inbound_headers": True,
    "connection_strategy": "lazy",
}
"""Whatever is not named here stays at mitmproxy's default."""


def frozen_options(mode: str) -> options.Options:
    """Options with everything that can be set before the addons declare theirs."""
    opts = options.Options()
    opts.update_defer(mode=[mode], **FROZEN)
    return opts


def refuse_key_logging(environ: Mapping[str, str]) -> None:
    """Raises InvalidFiles. With that file, whoever has recorded the traffic reads it; dropping the variable in silence
    would leave somebody who set it without what they expect, and others without the news that it was set."""
    sentence = "makes TLS libraries write the keys of every connection to a file"
    # An empty one is as good as none, to OpenSSL, to Python and to mitmproxy.
    wrong = [Problem(name, 0, 0, sentence, "unset it") for name in KEY_LOGGING if environ.get(name)]
    if wrong:
        raise InvalidFiles(wrong)


class Frost:
    """The addon that keeps them so: a change raises, and mitmproxy rolls it back.

    First in the chain, so that no other addon acts on a change that is not to be.
    """

    def __init__(
        self,
        mode: str,
        opts: options.Options,
        free: frozenset[str] = frozenset(),
        frozen: Mapping[str, object] = FROZEN,
    ) -> None:
        """`free`: options that may be anything. In production there are none."""
        self._wanted: Mapping[str, object] = {**frozen, "mode": [mode]}
        self._options = opts
        self._free = free

    def configure(self, updated: set[str]) -> None:
        """Called by mitmproxy with the names that have just been set."""
        opts = self._options
        # An option that an addon has just declared has its default until mitmproxy sets what was deferred.
        for name in (updated & opts.keys()) - opts.deferred.keys() - self._free:
            if getattr(opts, name) != self._of(name):
                raise exceptions.OptionsError(f"option {name} is frozen")

    def check(self) -> None:
        """RuntimeError unless every option is what it must be, and every name we freeze is an option.

        Called when all addons have declared theirs: an option that a new release of mitmproxy renames would be
        deferred for ever, and its successor would stand at a default that nobody chose.
        """
        opts = self._options
        names = opts.keys()
        wrong = sorted(name for name in names if getattr(opts, name) != self._of(name))
        missing = sorted(self._wanted.keys() - names)
        if wrong or missing or opts.deferred:
            raise RuntimeError(f"mitmproxy's options are not ours: {wrong}, missing: {missing}")

    def _of(self, name: str) -> object:
        return self._wanted[name] if name in self._wanted else self._options.default(name)
