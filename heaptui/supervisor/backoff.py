"""How long a task that failed waits before it is tried again. Pure."""

from __future__ import annotations

from heaptui.config import RetryConfig


def delay(config: RetryConfig, failures: int) -> float:
    """Seconds before the try after the `failures`-th failure: doubling, up to the maximum."""
    doublings = min(max(0, failures - 1), 32)
    return min(config.backoff_max_s, config.backoff_s * 2.0**doublings)
