"""mitmproxy's options in development: given on a command line and in a file, so looked at one by one.

What production freezes is frozen here too. An option that stands at mitmproxy's default is set to what it must be; one
that somebody has set otherwise refuses the start, since they expect something of it. Options not named in `FREE` stay
at their default: among them are those that send, rewrite, replay and save what passes.
"""

from typing import Final

from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode

from paravent.settings import Settings
from paravent_mitmproxy.options import FROZEN

CONFIG: Final = "paravent_config"

MUST: Final[dict[str, object]] = {
    **FROZEN,
    "onboarding": False,
    # mitmproxy's own view of a flow: from 1 on it prints URLs, from 2 on headers, and with them tokens.
    "flow_detail": 0,
}

FREE: Final = frozenset(
    {
        "scripts",
        CONFIG,
        "listen_host",
        "listen_port",
        "confdir",
        "keepserving",
        "termlog_verbosity",
        "tcp_timeout",
        # mitmproxy's own TLS, towards the caller and towards the upstream.
        "certs",
        "cert_passphrase",
        "key_size",
        "ciphers_client",
        "ciphers_server",
        "client_certs",
        "tls_version_client_min",
        "tls_version_client_max",
        "tls_version_server_min",
        "tls_version_server_max",
        "tls_ecdh_curve_client",
        "tls_ecdh_curve_server",
        "ssl_verify_upstream_trusted_ca",  # set from the configuration
    }
)


class Unfit(Exception):
    """mitmdump was started in a way that leaves no boundary. The text is for whoever started it."""


def harden(options: Options, settings: Settings) -> None:
    """Set what must be set. Raises Unfit for what was set otherwise, all of it in one sentence."""
    check_mode(options.mode, settings)
    wrong = []
    changes: dict[str, object] = {}
    for name in options.keys():  # noqa: SIM118 (not a mapping)
        now, default = getattr(options, name), options.default(name)
        must = MUST.get(name, default)
        if name in FREE or name == "mode" or now == must:  # `check_mode` has looked at the mode
            continue
        if now == default:
            changes[name] = must
        else:
            wrong.append(name)
    missing = sorted(MUST.keys() - options.keys())
    if missing:
        raise Unfit(f"this mitmproxy does not know the options {', '.join(missing)}")
    if wrong:
        raise Unfit(f"these options must stay as they are: {', '.join(sorted(wrong))}")
    if settings.upstream.ca is not None:
        changes["ssl_verify_upstream_trusted_ca"] = str(settings.upstream.ca)
    options.update(**changes)


def check_mode(modes: list[str], settings: Settings) -> None:
    """One reverse proxy, to the upstream that the configuration names."""
    upstream = settings.upstream
    scheme = "https" if upstream.tls else "http"
    wanted = f"--mode reverse:{scheme}://{upstream.host}:{upstream.port}"
    mode = ProxyMode.parse(modes[0]) if len(modes) == 1 else None
    if not isinstance(mode, ReverseMode):
        raise Unfit(f"exactly one mode is possible: {wanted}")
    if (mode.scheme, mode.address) != (scheme, (upstream.host, upstream.port)):
        raise Unfit(f"the mode and upstream.url of the configuration differ: {wanted}")
