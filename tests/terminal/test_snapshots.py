"""The screens as pictures, with a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from tests.terminal.fake_operator import FakeOperator, many, picture
from tests.terminal.family_scene import family_picture
from tests.terminal.heap_scene import WRITING, an_activity
from tests.terminal.policy_scene import policy_picture
from tests.terminal.stage import make_app, text_on, until

SIZES = [(80, 24), (120, 40), (200, 50)]
_NAMED = [f"{width}x{height}" for width, height in SIZES]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def _charted(pilot: Any) -> None:
    """The dock has its figures."""
    last = ("attempt 1 began", "GC 412")
    await until(pilot, lambda: any(said in text_on(pilot.app) for said in last))


@pytest.mark.parametrize("size", SIZES, ids=_NAMED)
def test_main(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(), terminal_size=size, run_before=_charted)


@pytest.mark.parametrize("size", SIZES[:2], ids=_NAMED[:2])
def test_long_work(snap_compare: Any, size: tuple[int, int]) -> None:
    working = replace(picture(), activities=[an_activity(), WRITING])
    app = make_app(FakeOperator(working))
    assert snap_compare(app, terminal_size=size, run_before=_charted)


@pytest.mark.parametrize("size", SIZES[:2], ids=_NAMED[:2])
def test_filtered_and_marked(snap_compare: Any, size: tuple[int, int]) -> None:
    async def filtered(pilot: Any) -> None:
        await pilot.press("space", "slash", *"node", "down")
        await until(pilot, lambda: "333 of 1,000" in text_on(pilot.app))
        await _charted(pilot)

    app = make_app(FakeOperator(picture(many(1000))))
    assert snap_compare(app, terminal_size=size, run_before=filtered)


@pytest.mark.parametrize("size", SIZES[:2], ids=_NAMED[:2])
def test_first_minute(snap_compare: Any, size: tuple[int, int]) -> None:
    async def empty(pilot: Any) -> None:
        await until(pilot, lambda: "No task is running" in text_on(pilot.app))

    app = make_app(FakeOperator(picture([])))
    assert snap_compare(app, terminal_size=size, run_before=empty)


@pytest.mark.parametrize("size", SIZES[:2], ids=_NAMED[:2])
def test_what_the_policy_acts_on(snap_compare: Any, size: tuple[int, int]) -> None:
    app = make_app(FakeOperator(policy_picture()))
    assert snap_compare(app, terminal_size=size, run_before=_charted)


@pytest.mark.parametrize("key", ["r", "A"])
def test_recycling_and_alerts(snap_compare: Any, key: str) -> None:
    async def opened(pilot: Any) -> None:
        await _charted(pilot)
        await pilot.press(key)
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)

    app = make_app(FakeOperator(policy_picture()))
    assert snap_compare(app, terminal_size=(80, 24), run_before=opened)


@pytest.mark.parametrize("theme", ["light", "ansi"])
def test_themes(snap_compare: Any, theme: str) -> None:
    assert snap_compare(make_app(theme=theme), terminal_size=(80, 24), run_before=_charted)


@pytest.mark.parametrize("size", SIZES, ids=_NAMED)
def test_families(snap_compare: Any, size: tuple[int, int]) -> None:
    async def on_the_parent(pilot: Any) -> None:
        await pilot.press("j")
        await until(pilot, lambda: "-30 min" in text_on(pilot.app))

    app = make_app(FakeOperator(family_picture()))
    assert snap_compare(app, terminal_size=size, run_before=on_the_parent)


def test_families_without_unicode(snap_compare: Any) -> None:
    app = make_app(FakeOperator(family_picture()), ascii=True)
    assert snap_compare(app, terminal_size=(80, 24), run_before=_charted)
