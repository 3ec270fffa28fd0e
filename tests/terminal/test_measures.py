"""The measures on the screen: what is drawn of them, and the keys."""

from __future__ import annotations

import random

import pytest

from heaptui.errors import Unreachable
from heaptui.model import Kind, Measures, PeakRecord, ProfileMeasures, Quantiles, VerdictKind
from heaptui.tui.glyphs import ASCII, UNICODE
from heaptui.tui.lines import text_of, width_of
from heaptui.tui.measures.distribution import histogram, strip
from heaptui.tui.measures.lines import advice, heading, pictures, profile_line, summary_line
from heaptui.tui.measures.scatter import round_duration, scatter
from heaptui.tui.measures.screen import MeasuresScreen
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import NOW, FakeOperator
from tests.terminal.stage import make_app, on_stage, text_on, until


def records(*ends: tuple[int, float, VerdictKind]) -> tuple[PeakRecord, ...]:
    return tuple(
        PeakRecord(at=NOW - n, peak_bytes=peak * MIB, seconds=seconds, verdict=verdict)
        for n, (peak, seconds, verdict) in enumerate(ends)
    )


def profile(name: str = "agent", **fields: object) -> ProfileMeasures:
    given: dict[str, object] = {
        "kind": Kind.NODE,
        "attempts": 3,
        "ooms": 1,
        "p50_bytes": 200 * MIB,
        "p95_bytes": 800 * MIB,
        "max_bytes": 1000 * MIB,
        "cap_bytes": 1000 * MIB,
        "suggested_cap_bytes": 1300 * MIB,
        "records": records(
            (100, 10.0, VerdictKind.FINISHED),
            (200, 20.0, VerdictKind.FINISHED),
            (1000, 55.0, VerdictKind.CAP),
        ),
    }
    return ProfileMeasures(name=name, **(given | fields))  # type: ignore[arg-type]


def many(name: str, count: int, mean: int, **fields: object) -> ProfileMeasures:
    """Peaks around `mean` MB, always the same ones."""
    dice = random.Random(name)
    ends = [
        (max(1, int(dice.gauss(mean, mean / 6))), dice.expovariate(1 / 90), VerdictKind.FINISHED)
        for _ in range(count)
    ]
    peaks = sorted(peak for peak, _, _ in ends)
    given: dict[str, object] = {
        "attempts": count,
        "ooms": 0,
        "p50_bytes": peaks[count // 2] * MIB,
        "p95_bytes": peaks[int(count * 0.95)] * MIB,
        "max_bytes": peaks[-1] * MIB,
        "cap_bytes": 4 * GIB,
        "suggested_cap_bytes": int(peaks[-1] * 1.3) * MIB,
        "records": records(*ends),
    }
    return profile(name, **(given | fields))


def some() -> Measures:
    return Measures(
        at=NOW,
        since=NOW - 3700,
        profiles=(
            profile("refactor-auth"),
            many("import-legacy[bold]", 120, 300, kind=Kind.PYTHON),
            many("lint \x1b[31mred", 400, 40),
            profile("true", p50_bytes=0, p95_bytes=0, max_bytes=0, ooms=0, records=(),
                    suggested_cap_bytes=None, attempts=12),
        ),
        verdicts={"finished": 530, "cap": 1},
        dispatch=Quantiles(count=531, p50=0.002, p95=0.006, p99=0.02, max=0.048),
        recycles=4,
    )  # fmt: skip


class Measured(FakeOperator):
    """With these measures."""

    def __init__(self, found: Measures | None) -> None:
        super().__init__()
        self.found = found

    async def measures(self, records: int = 200) -> Measures:
        self.calls.append(("measures", records))
        if self.found is None:
            raise Unreachable("No supervisor answers.", "Start one.")
        return self.found


# --- pictures -----------------------------------------------------------
def test_peaks_stand_where_they_lie_on_the_way_to_the_suggestion():
    line = strip(profile(), 13, UNICODE)
    assert text_of(line) == " ██       █ ╵"[:13]
    assert [role for text, role in line if "█" in text] == ["quantity", "red"]
    # as plain text too
    assert text_of(strip(profile(), 13, ASCII)).isascii()
    assert strip(profile(records=()), 13, UNICODE) == ()


def test_one_end_among_hundreds_is_seen():
    ends = [(100, 1.0, VerdictKind.FINISHED)] * 500 + [(900, 1.0, VerdictKind.FINISHED)]
    text = text_of(strip(profile(records=records(*ends)), 13, UNICODE))
    assert text[1] == "█" and text[9] == "▁"


def test_a_histogram_names_its_marks_under_them():
    *bars, axis, first, second = map(text_of, histogram(profile(), 65, 8, UNICODE))
    assert len(bars) == 5
    labels = first + "\n" + second
    for name, figure in (("p50", "200M"), ("p95", "800M"), ("cap", "1.0G"), ("suggested", "1.3G")):
        assert f"{name} {figure}" in labels
    assert axis.count("│") == 4
    assert first.index("p50") <= axis.index("│") < first.index("p50") + len("p50 200M")


def test_what_lies_beyond_the_axis_is_named_at_its_end():
    found = many("lint", 50, 40)
    lines = [text_of(line) for line in histogram(found, 65, 8, UNICODE)]
    assert any(line.endswith("cap 4.0G →") for line in lines)


def test_a_scatter_has_the_cap_as_a_line_and_ends_out_of_memory_as_crosses():
    lines = scatter(profile(), 46, 11, UNICODE)
    texts = [text_of(line) for line in lines]
    assert len(lines) == 11 and all(width_of(line) <= 46 for line in lines)
    (row,) = [text for text in texts if text.startswith("  cap ")]
    assert "┈┈┈" in row and "✗" in row
    assert ("✗", "red") in [span for line in lines for span in line]
    assert "✗ out of memory" in texts[0]
    assert texts[-1].strip().startswith("0s") and texts[-1].endswith("ran 1m00")
    # two that ended well, one dot each
    dots = [char for text in texts for char in text if "\u2800" < char <= "\u28ff"]
    assert len(dots) == 2
    plain = [text_of(line) for line in scatter(profile(), 46, 11, ASCII)]
    assert any("x" in text for text in plain)


@pytest.mark.parametrize(
    ("seconds", "rounded"),
    [(0, 1), (1, 1), (1.1, 2), (50, 60), (61, 120), (43200, 43200), (50_000, 86400), (9e5, 950400)],
)
def test_the_end_of_the_time_axis(seconds, rounded):
    assert round_duration(seconds) == rounded


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "is too small: 1.3G would serve it"),
        ({"ooms": 0}, "is close: 1.3G would leave a margin"),
        ({"suggested_cap_bytes": 990 * MIB}, "its cap of 1.0G serves it"),
        ({"suggested_cap_bytes": 100 * MIB}, "is generous: 100M would do"),
        ({"suggested_cap_bytes": None}, "too few ends"),
        ({"cap_bytes": None}, "a cap of 1.3G would serve it"),
    ],
)
def test_advice_is_a_sentence(fields, words):
    assert words in advice(profile(**fields))[0]


@pytest.mark.parametrize("width", [20, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [1, 4, 9, 16, 30])
@pytest.mark.parametrize("one", some().profiles, ids=lambda one: one.name[:6])
def test_pictures_fit_every_room(one, width, height):
    for glyphs in (UNICODE, ASCII):
        lines = pictures(one, width, height, glyphs)
        assert all(width_of(line) <= width for line in lines)
        assert width_of(profile_line(one, max(60, width), glyphs)) <= max(60, width)
    assert width_of(heading(width)) == width


def test_the_summary_leads_with_what_stays():
    assert text_of(summary_line(some())).startswith(
        " since 1h01: started within 2 ms, p95 6 ms, max 48 ms; 4 recycled; 530 finished, 1 cap"
    )


# --- the screen ---------------------------------------------------------
async def opened(pilot, operator: Measured) -> MeasuresScreen:
    screen = MeasuresScreen(operator)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: operator.calls and "Measures" in text_on(pilot.app))
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_profiles_and_the_pictures_of_the_one_under_the_cursor(size):
    operator = Measured(some())
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await opened(pilot, operator)
        await until(pilot, lambda: "out of memory" in text_on(app))
        text = text_on(app)
        assert operator.calls == [("measures", 200)]
        assert "─ refactor-auth  node" in text and "is too small: 1.3G would serve it" in text
        lines = text.splitlines()
        assert [line.split()[0] for line in lines[3:7]] == [
            "refactor-auth", "import-legacy[bold]"[:13] + "…" if size[0] == 80
            else "import-legacy[bold]", "lint", "true",
        ]  # fmt: skip
        assert "suggested 1.3G" in text and "ran 1m00" in text
        assert "\x1b" not in text and "lint red" in text
        await pilot.press("j", "j", "j")
        await until(pilot, lambda: "No peak of it was measured" in text_on(app))
        await pilot.press("k", "home")
        await until(pilot, lambda: "─ refactor-auth  node" in text_on(app))


async def test_the_order_keeps_the_cursor_on_its_profile():
    operator = Measured(some())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await pilot.press("j", "o", "o")
        await until(pilot, lambda: "by ends" in text_on(app))
        lines = text_on(app).splitlines()
        assert lines[3].split()[0] == "lint"
        assert any(line.startswith(" ─ import-legacy[bold]  python") for line in lines)


async def test_it_says_what_would_fill_it_and_fills_when_looked_at_again():
    empty = Measures(at=NOW, since=NOW - 5, profiles=(), verdicts={}, dispatch=Quantiles())
    operator = Measured(empty)
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        await opened(pilot, operator)
        await until(pilot, lambda: "No attempt has ended yet." in text_on(app))
        assert "After five of one name" in text_on(app)
        await pilot.press("j", "k", "pagedown", "o")
        operator.found = some()
        await pilot.press("r")
        await until(pilot, lambda: "refactor-auth" in text_on(app))
        operator.found = None
        await pilot.press("r")
        await until(pilot, lambda: len(operator.calls) == 3)
        # what was read stays
        assert "refactor-auth" in text_on(app)


async def test_a_supervisor_that_does_not_answer_is_told():
    operator = Measured(None)
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await until(pilot, lambda: "No supervisor answers." in text_on(app))


async def test_its_keys_are_listed_and_it_is_left():
    operator = Measured(some())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await pilot.press("question_mark")
        await until(pilot, lambda: "order by peak, OOMs or ends" in text_on(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, MeasuresScreen))
