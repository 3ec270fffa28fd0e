"""Sizes, durations and counts: as operators write them and as the screen shows them.

Sizes are binary: 2G is 2 x 2**30 bytes. On the screen a figure has three significant digits and
its unit attached (842M, 1.93G), a duration at most two units (1m20, 3h05), and what is not known
is a dot, never a zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from heaptui.errors import UsageError

UNKNOWN = "·"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SIZE_MAX = 1 << 60
DURATION_MAX_S = 100 * 366 * 86400.0
TOKENS_MAX = 1_000_000_000

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE | re.ASCII)
_SCALE = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": 1 << 40}
_TOKENS = re.compile(
    r"\s*(\d+(?:\.\d+)?|\d{1,3}(?:[,_]\d{3})+)\s*([km]?)\s*", re.IGNORECASE | re.ASCII
)
_THOUSANDS = {"": 1, "k": 1000, "m": 1_000_000}
_DURATION = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?)d)?\s*(?:(\d+(?:\.\d+)?)h)?\s*(?:(\d+(?:\.\d+)?)m)?\s*(?:(\d+(?:\.\d+)?)s?)?\s*",
    re.IGNORECASE | re.ASCII,
)


def parse_size(text: str, what: str = "size") -> int:
    """Bytes of `2G`, `300M`, `1.5 GiB`, `512k` or a plain number of bytes.

    Raises:
        UsageError: not one of these forms, zero, or more than SIZE_MAX.
    """
    match = _SIZE.fullmatch(text)
    number = float(match[1]) * _SCALE[match[2].lower()] if match else 0.0
    if number > SIZE_MAX:
        raise UsageError(
            f"{what} {text.strip()[:40]!r} is more than any machine has.",
            "Write a number with k, M, G or T, in powers of 1024: 300M, 2G, 1.5G.",
        )
    size = int(number)
    if size <= 0:
        raise UsageError(
            f"{what} {text[:40]!r} is not a size.",
            "Write a number with k, M, G or T, in powers of 1024: 300M, 2G, 1.5G.",
        )
    return size


def parse_duration(text: str, what: str = "duration") -> float:
    """Seconds of `90`, `90s`, `20m`, `1h30m`, `2d`.

    Raises:
        UsageError: not one of these forms, zero, or more than DURATION_MAX_S.
    """
    match = _DURATION.fullmatch(text)
    parts = [float(part or 0) for part in match.groups()] if match and text.strip() else [0.0] * 4
    seconds = parts[0] * 86400 + parts[1] * 3600 + parts[2] * 60 + parts[3]
    if seconds > DURATION_MAX_S:
        raise UsageError(
            f"{what} {text.strip()[:40]!r} is longer than a hundred years.",
            "Write seconds, or a number with s, m, h or d: 90, 45s, 20m, 1h30m.",
        )
    if seconds <= 0:
        raise UsageError(
            f"{what} {text[:40]!r} is not a duration.",
            "Write seconds, or a number with s, m, h or d: 90, 45s, 20m, 1h30m.",
        )
    return seconds


def parse_tokens(text: str, what: str = "tokens") -> int:
    """How many tokens `30k`, `30000`, `30,000` or `1.5M` are; a thousand is a thousand here.

    Raises:
        UsageError: not one of these forms, less than one, or more than TOKENS_MAX.
    """
    match = _TOKENS.fullmatch(text)
    number = match[1].replace(",", "").replace("_", "") if match else "0"
    tokens = float(number) * _THOUSANDS[match[2].lower()] if match else 0.0
    if not 1 <= tokens <= TOKENS_MAX:
        raise UsageError(
            f"{what} {text.strip()[:40]!r} is no number of tokens.",
            "Write a number, or one with k or M, in thousands: 30k, 30000, 1.5M.",
        )
    return round(tokens)


def _three(value: float) -> str:
    if value < 9.995:
        return f"{value:.2f}"
    if value < 99.95:
        return f"{value:.1f}"
    return f"{value:.0f}"


def size(value: float | None) -> str:
    """Bytes with three significant digits: 842M, 1.93G, 61.4k; a dot when unknown."""
    if value is None:
        return UNKNOWN
    sign, value = ("-" if value < 0 else ""), abs(value)
    for unit, scale in (("B", 1), ("k", KIB), ("M", MIB), ("G", GIB), ("T", 1 << 40)):
        scaled = value / scale
        if scaled < 999.5 or unit == "T":
            return f"{sign}{scaled:.0f}{unit}" if unit in "Bk" else f"{sign}{_mega(scaled, unit)}"
    raise AssertionError


def _mega(scaled: float, unit: str) -> str:
    # below a gigabyte the fraction of a megabyte is noise to an operator
    return f"{scaled:.0f}{unit}" if unit == "M" and scaled >= 10 else f"{_three(scaled)}{unit}"


def short_size(value: float | None) -> str:
    """Bytes with two significant digits, for a column that only orients: 2.0G, 512M."""
    if value is None:
        return UNKNOWN
    if value >= 999.5 * MIB:
        scaled, unit = (value / GIB, "G") if value < 999.5 * GIB else (value / (1 << 40), "T")
        return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"
    if value >= 999.5 * KIB:
        return f"{value / MIB:.0f}M"
    return size(value)


def growth(value: float | None) -> str:
    """Bytes a minute, signed: +88M, -1.1G, 0; below half a megabyte it is 0."""
    if value is None:
        return UNKNOWN
    if abs(value) < MIB / 2:
        return "0"
    return ("+" if value > 0 else "-") + short_size(abs(value))


def duration(seconds: float | None) -> str:
    """At most two units: 34s, 1m20, 34m, 3h05, 2d03."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes}m{rest:02}"
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02}"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}"


def named(names: Sequence[str], most: int) -> str:
    """The first `most` of them, and how many there are besides."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count(value: float | None) -> str:
    """A quantity without unit: 912, 61k, 1.84M."""
    if value is None:
        return UNKNOWN
    if value < 1000:
        return f"{value:.0f}"
    if value < 999_500:
        return f"{value / 1000:.0f}k"
    return f"{_three(value / 1_000_000)}M"
