"""A strict HTTP/1.1 listener inside the mitmproxy Master.

It speaks a small part of HTTP/1.1 and refuses the rest, fires mitmproxy's hooks on an HTTPFlow, asks the upstream
over a pool of its own, and has one place that writes to a client: sealed bytes, or nothing.
"""
