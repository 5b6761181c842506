"""The data plane: a mitmproxy Master, a strict HTTP/1.1 listener, and the guard that asks the engine."""
