"""An operator's connection: calls, and one stream that reconnects by itself.

A supervisor may be replaced at any moment (detached, crashed, upgraded). A call that finds none
waits through the hand-over; the stream says that it is `Down` and goes on with a fresh picture.
"""

from __future__ import annotations

from heaptui.client.client import HAND_OVER_S, Client
from heaptui.client.environment import sendable
from heaptui.client.operator import Down, Operator, Update

__all__ = ["HAND_OVER_S", "Client", "Down", "Operator", "Update", "sendable"]
