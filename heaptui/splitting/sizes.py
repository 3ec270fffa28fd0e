"""Tokens, as far as sizes tell them."""

from __future__ import annotations

BYTES_PER_TOKEN = 4
"""Of English prose and code, within a third; a model's own count is not known before it reads."""


def tokens_of(size: int) -> int:
    """An estimate for `size` bytes, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def bytes_of(tokens: int) -> int:
    """The most bytes that are estimated at `tokens`."""
    return tokens * BYTES_PER_TOKEN
