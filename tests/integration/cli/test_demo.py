"""The demo: real processes in a place of its own, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.operating import Operated, said, wait_until


@pytest.fixture
def shown(heaptui: Operated) -> Iterator[Operated]:
    """The demo that belongs to the operator's own state directory."""
    operated = Operated(heaptui.root.with_name(f"{heaptui.root.name}-demo"))
    try:
        yield operated
    finally:
        operated.clean_up()


def test_it_shows_every_kind_and_touches_nothing_else(heaptui, shown):
    said(heaptui("demo", "--fill-only"), 0)
    assert {row["kind"] for row in shown.rows().values()} == {"node", "python", "command"}
    assert shown.until("e2e-login", "failed")["exit_code"] not in (0, None)
    growing = shown.until("refactor-auth", "running")
    wait_until(lambda: (shown.rows()["refactor-auth"]["rss_bytes"] or 0) > 0, "its memory")
    assert not heaptui.root.exists()
    works = shown.until("review-screens", "running")
    assert works["items"] > 50
    assert shown.told("split", "review-screens", "--dry-run")["shares"]
    # coming back finds the same work
    said(heaptui("demo", "--fill-only"), 0)
    assert shown.rows()["refactor-auth"]["pid"] == growing["pid"]


def test_a_demo_whose_work_is_over_begins_anew(heaptui, shown):
    said(heaptui("demo", "--fill-only"), 0)
    first = {row["id"] for row in shown.rows().values()}
    names = [row["id"] for row in shown.told("ps")]
    said(shown("kill", *names), 0)
    said(heaptui("demo", "--fill-only"), 0)
    second = {row["id"] for row in shown.rows().values()}
    assert len(first) == len(second)
    assert not first & second
