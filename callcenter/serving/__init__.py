"""The serving process: the parts that run beside the PBX and those that run anywhere, in one event loop.

Each part may fail and come back by itself; none waits for another, and no caller waits for any.
"""

from callcenter.serving.loops import Part
from callcenter.serving.server import Server

__all__ = ["Part", "Server"]
