"""mitmdump -s addons/guard.py --mode reverse:http://127.0.0.1:9000 --set paravent_config=paravent.toml

For development, on mitmproxy's own layers. Production runs `paravent serve`: docs/how-to/develop-with-mitmdump.md says
what is missing here.
"""

try:
    from paravent_mitmproxy.development import Development
except Exception as failure:  # mitmproxy would log it, and serve without us
    raise SystemExit(f"paravent: the guard cannot be imported ({failure}). Nothing is served.") from None

addons = [Development()]
