"""What went wrong, out of a group of errors that went up together."""

from __future__ import annotations

from heaptui.errors import HeaptuiError


def first_error(error: BaseException) -> HeaptuiError | None:
    """`error` itself, or the first of heaptui's own in the group that it is, however deep."""
    if isinstance(error, HeaptuiError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((one for one in map(first_error, error.exceptions) if one is not None), None)
    return None
