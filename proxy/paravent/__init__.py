"""Paravent: a data-minimisation reverse proxy for beneficiary-rights lookups.

The engine. It decides, counts, reduces and records, and knows nothing of the proxy that carries the bytes:
see `paravent_mitmproxy` for that half.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("paravent")
