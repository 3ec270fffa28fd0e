"""`heaptui recycle` and `heaptui stop --drain` with a real worker."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.integration.operating import said, sleeping, wait_until

WORKER = Path(__file__).parents[3] / "examples" / "worker.py"


def test_a_worker_goes_on_where_it_was_and_ends_when_asked(heaptui):
    heaptui.run(sys.executable, str(WORKER), "100000", "0.02", name="count")
    wait_until(lambda: "drain" in heaptui.rows()["count"]["can"], "its worker is known")
    wait_until(lambda: (heaptui.rows()["count"]["done"] or 0) >= 3, "it has done something")

    done = heaptui("recycle", "count")
    said(done, 0, "recycled once so far")
    row = wait_until(
        lambda: (row := heaptui.rows()["count"])["attempts"] == 2 and row["done"] and row,
        "it goes on",
    )
    assert (row["recycles"], row["state"], row["ooms"]) == (1, "running", 0)
    begun = heaptui("logs", "count").stdout
    assert begun.startswith("begins at ")
    assert int(begun.split()[2]) >= 3

    said(heaptui("stop", "--drain", "count"), 0)
    row = heaptui.rows()["count"]
    assert (row["attempts"], row["signal"]) == (2, None)
    events = [event["text"] for event in heaptui.told("show", "count")["events"]]
    assert any(text.startswith("drain: finishes what it has in hand") for text in events)


def test_what_keeps_no_checkpoints_is_recycled_only_on_insistence(heaptui):
    heaptui.run(*sleeping(60), name="sleeper")
    first = heaptui.until("sleeper", "running")["pid"]
    done = heaptui("recycle", "sleeper")
    assert done.returncode != 0
    said(done, done.returncode, "keeps no checkpoints", "--anew")
    said(heaptui("recycle", "--anew", "sleeper"), 0, "recycled once")
    row = wait_until(
        lambda: (row := heaptui.rows()["sleeper"])["attempts"] == 2 and row["pid"] and row,
        "it begins anew",
    )
    assert row["pid"] != first
