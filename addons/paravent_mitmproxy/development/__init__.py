"""Development mode: the guard on mitmproxy's own HTTP layers, behind a latch.

`paravent serve` needs nothing of this. It is the only place where names of mitmproxy are replaced.
"""

from paravent_mitmproxy.development.addon import Development

__all__ = ["Development"]
