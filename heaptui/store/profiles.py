"""How the attempts of each kind and name ended: the rows that the measures are made of."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from heaptui.model import OUT_OF_MEMORY, Kind, VerdictKind
from heaptui.store.trouble import damaged
from heaptui.units import MIB

if TYPE_CHECKING:
    from heaptui.store.history import History

PROFILES_MOST: Final = 200
"""Kinds and names that are looked at, those of the latest ends."""
ENDS_MOST: Final = 1000
"""Of each."""

_OOM = ", ".join(f"'{kind.value}'" for kind in sorted(OUT_OF_MEMORY))

SELECT: Final = f"""\
WITH latest AS MATERIALIZED (
  SELECT agent_type, base_name, count(*) AS attempts, max(ended_at) AS last
  FROM worker_sessions WHERE ended_at IS NOT NULL
  GROUP BY agent_type, base_name ORDER BY last DESC LIMIT :profiles
), starved AS MATERIALIZED (
  -- one pass over the table: by the index it would fetch every row on its own
  SELECT agent_type, base_name, count(*) AS ooms FROM worker_sessions NOT INDEXED
  WHERE ended_at IS NOT NULL AND verdict IN ({_OOM}) GROUP BY agent_type, base_name
)
SELECT p.agent_type, p.base_name, p.attempts, ifnull(starved.ooms, 0),
  a.ended_at, max(0.0, ifnull(a.ended_at - a.started_at, 0.0)),
  a.memory_peak_mb, a.cap_mb, a.verdict
FROM latest AS p LEFT JOIN starved USING (agent_type, base_name)
JOIN worker_sessions AS a ON a.id IN (
  SELECT id FROM worker_sessions AS w
  WHERE w.agent_type = p.agent_type AND w.base_name = p.base_name AND w.ended_at IS NOT NULL
  ORDER BY w.ended_at DESC, w.id DESC LIMIT :ends
)
ORDER BY p.last DESC, p.agent_type, p.base_name, a.ended_at DESC, a.id DESC"""
"""Profiles by their latest end, and the ends of each, the latest first."""


class Ended(NamedTuple):
    """One ended attempt: `at` an instant, `seconds` from its start (0 where it had none), bytes;
    None is not known."""

    at: float
    seconds: float
    peak_bytes: int | None
    cap_bytes: int | None
    verdict: VerdictKind


class Profile(NamedTuple):
    """The attempts of one kind and base name that ended: how many, how many of them out of memory,
    and the latest `ends`, newest first."""

    kind: Kind
    name: str
    attempts: int
    ooms: int
    ends: tuple[Ended, ...]


async def profiles(history: History, path: Path, ends: int) -> list[Profile]:
    """Of the PROFILES_MOST that had the latest ends, with at most `ends` of each (up to ENDS_MOST).

    Raises:
        StorageTrouble: the file cannot be read, or was not written by heaptui.
    """
    most = {"profiles": PROFILES_MOST, "ends": max(1, min(ends, ENDS_MOST))}
    found = await history.fetch(SELECT, most)
    try:
        return [
            Profile(Kind(kind), name, attempts, ooms, tuple(_ended(*row[4:]) for row in rows))
            for (kind, name, attempts, ooms), rows in groupby(found, key=lambda row: row[:4])
        ]
    except (TypeError, ValueError) as error:
        raise damaged(path, f"a row does not read: {error}") from error


def _ended(
    at: float, seconds: float, peak_mb: float | None, cap_mb: float | None, verdict: str | None
) -> Ended:
    return Ended(
        at,
        seconds,
        None if peak_mb is None else round(peak_mb * MIB),
        None if cap_mb is None else round(cap_mb * MIB),
        VerdictKind.UNKNOWN if verdict is None else VerdictKind(verdict),
    )
