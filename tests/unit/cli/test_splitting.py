"""`heaptui split`: what it asks of the supervisor, what it shows, and when it does nothing."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from heaptui.cli.split_plan import put_plan
from heaptui.cli.splitting import split
from heaptui.errors import Refused, UsageError
from heaptui.inputs import Item, Share, Source, SplitPlan, SplitReport

NASTY = "\x1b]0;title\x07[bold]red[/]\x1b[2J\x9b31m\r\n\ttab"


def plan(**fields) -> SplitPlan:
    shares = (
        Share(title="login", items=(Item("login/a.ts", 12_000), Item("login/b.ts", 14_100)),
              memory_bytes=700 << 20),
        Share(title="2fa", items=(Item("2fa.ts:1-1900", 29_000, of="2fa.ts", first=1, last=1900),)),
    )  # fmt: skip
    given = {
        "task_id": "abcdef", "attempt": 2, "name": "e2e", "strategy": "files",
        "strategies": ("files", "directories"), "source": Source.FILES, "origin": "**/*.ts",
        "shares": shares, "original": 5, "done": ("x.ts", "y.ts"), "budget_tokens": 30_000,
        "fixed_tokens": 0, "timeout_s": 1200.0,
    }  # fmt: skip
    return SplitPlan(**{**given, **fields})


class Operator:
    """A supervisor that notes what it is asked."""

    def __init__(self, shown: SplitPlan, report: SplitReport | None = None) -> None:
        self.shown = shown
        self.report = report or SplitReport(task_id="abcdef", name="e2e", text="e2e: split into 2")
        self.planned: list[dict[str, object]] = []
        self.divided: list[dict[str, object]] = []

    async def plan_split(self, task, **asked):
        self.planned.append({"task": task, **asked})
        return self.shown

    async def split(self, task, shares, **asked):
        self.divided.append({"task": task, "shares": shares, **asked})
        return self.report

    def run(self, *argv: str):
        context = SimpleNamespace(ask_about=lambda question, name: asyncio.run(question(self)))
        return CliRunner().invoke(split, argv, obj=context)


def test_what_is_asked_for_is_what_the_supervisor_is_asked():
    asked = Operator(plan())
    done = asked.run("e2e", "--strategy", "directories", "--into", "3", "--budget", "30k",
                     "--planner", "plan it 'with care'", "--dry-run")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert asked.planned == [
        {"task": "e2e", "strategy": "directories", "into": 3, "budget_tokens": 30_000,
         "planner": ("plan", "it", "with care")}
    ]  # fmt: skip
    assert asked.divided == []


def test_what_was_shown_is_what_is_divided():
    asked = Operator(plan())
    done = asked.run("e2e", "--yes", "--timeout", "5m", "--reduce", "python3 join.py", "--insist")
    assert done.exit_code == 0, done.output
    assert asked.divided == [
        {"task": "abcdef", "shares": asked.shown.shares, "attempt": 2, "strategy": "files",
         "timeout_s": 300.0, "reduce": ("python3", "join.py"), "insist": True}
    ]  # fmt: skip
    assert "5m" in done.stdout and "20m" not in done.stdout
    assert "e2e: split into 2" in done.stderr


def test_with_nobody_to_ask_it_only_shows_the_plan_and_says_so():
    asked = Operator(plan())
    done = asked.run("e2e")
    assert isinstance(done.exception, Refused)
    assert "nobody to ask" in done.exception.what and "--yes" in done.exception.remedy
    assert asked.divided == [] and "login/*.ts" in done.stdout
    done = asked.run("e2e", "--json")
    assert isinstance(done.exception, Refused)
    assert json.loads(done.stdout)["task_id"] == "abcdef"


@pytest.mark.parametrize(("answer", "divided"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_it_asks_and_no_is_the_default(monkeypatch, answer, divided):
    asked = Operator(plan(drains=True))
    told = []

    def confirm(text: str, *, err: bool) -> bool:
        told.append((text, err))
        return answer == "y\n"

    monkeypatch.setattr("heaptui.cli.splitting.click.confirm", confirm)
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.setattr(
        "heaptui.cli.splitting.sys", SimpleNamespace(stdin=terminal, stderr=terminal)
    )
    done = asked.run("e2e")
    assert ("nothing was split" in done.stderr) == (not divided)
    assert told == [("Split e2e into 2 children; its worker ends?", True)]
    assert len(asked.divided) == divided


def test_json_is_the_plan_or_the_report_and_nothing_else():
    asked = Operator(plan(), SplitReport(task_id="abcdef", name="e2e", text="t", again=("a",)))
    assert json.loads(asked.run("e2e", "--dry-run", "--json").stdout)["strategy"] == "files"
    assert json.loads(asked.run("e2e", "--yes", "--json").stdout)["again"] == ["a"]


def test_what_may_be_done_again_is_told_item_by_item():
    again = tuple(f"{n}.ts" for n in range(30))
    report = SplitReport(task_id="a", name="e2e", text="t", children=("b",), again=again)
    done = Operator(plan(), report).run("e2e", "--yes")
    assert all(f"may be done again: {name}\n" in done.stderr for name in again)


def test_a_few_that_may_be_done_again_are_told_once():
    text = "e2e: split into 2; may be done again: a.ts"
    report = SplitReport(task_id="a", name="e2e", text=text, children=("b",), again=("a.ts",))
    done = Operator(plan(), report).run("e2e", "--yes")
    assert done.stderr.count("a.ts") == 1


def test_while_its_worker_has_time_to_end_it_says_so():
    said = "its worker has 30s to end"
    assert said in Operator(plan(drains=False, drain_s=30)).run("e2e", "--yes").stderr
    assert said not in Operator(plan(drains=False, drain_s=30)).run("e2e", "--dry-run").stderr
    assert "its worker" not in Operator(plan()).run("e2e", "--yes").stderr


def test_children_of_one_directory_are_told_apart_by_their_first_and_last_file(capsys):
    names = ("src/a.py", "src/b.py", "src/c.py", "src/d.py")
    items = [Item(name, 10) for name in names]
    halves = (
        Share(title="one", items=tuple(items[:2])),
        Share(title="two", items=tuple(items[2:])),
    )
    text = page(capsys, plan(shares=halves, original=6))
    assert "src/a.py … b.py" in text and "src/c.py … d.py" in text


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--budget", "much"], "--budget 'much'"),
        (["--timeout", "soon"], "--timeout 'soon'"),
        (["--planner", "a 'b"], "--planner .* cannot be read: No closing quotation"),
        (["--reduce", " "], "--reduce names no command"),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_is_asked(argv, words):
    asked = Operator(plan())
    done = asked.run("e2e", *argv)
    assert isinstance(done.exception, UsageError)
    with pytest.raises(UsageError, match=words):
        raise done.exception
    assert asked.planned == []


# --- the page
def page(capsys, shown: SplitPlan) -> str:
    put_plan(shown, shown.timeout_s)
    return capsys.readouterr().out


def test_the_page_says_who_does_what_with_how_much(capsys):
    text = page(capsys, plan())
    first, head, login, parted, *facts = text.splitlines()
    assert first == "e2e (abcdef, attempt 2) into 2 by files, packed by tokens"
    assert head.split() == ["N", "CHILD", "ITEMS", "SLICE", "TOKENS", "MEMORY", "TIME"]
    assert login.split() == ["1", "login", "2", "login/*.ts", "26.1k", "700M", "20m"]
    assert parted.split() == [
        "2", "2fa", "1", "2fa.ts", "lines", "1-1,900", "29.0k", "·", "20m",
    ]  # fmt: skip
    assert "done       2 of 5 files, left out; left over: 0" in facts
    assert "tokens     55.1k in all; a child's slice takes at most 30.0k" in facts
    assert "otherwise  --strategy directories" in facts


def test_children_beyond_the_budget_are_counted(capsys):
    assert "over       1 of the children would take more" in page(
        capsys, plan(budget_tokens=27_000)
    )
    assert "over  " not in page(capsys, plan())


def test_what_is_unusual_stands_on_the_page(capsys):
    hand = tuple(f"{n}.ts" for n in range(25))
    text = page(
        capsys,
        plan(
            fixed_tokens=9900, gone=("gone.ts",), oversized=("large.ts",), drains=False,
            hand=hand, again="It may be done again.", depth=3, notes=("A note.",), original=6,
        ),
    )  # fmt: skip
    assert "its agent's own prompt 9900" in text or "its agent's own prompt 9.9k" in text
    assert "not there any more, divided all the same: 1 file\n  gone.ts" in text
    assert "larger than one child's budget: 1 file\n  large.ts" in text
    assert "again      It may be done again.\nin hand, may be done again: 25 files\n  0.ts" in text
    assert "  19.ts\n  and 5 more; --dry-run --json lists all" in text
    assert "--insist" in text and "note       A note." in text
    assert "left over: 1" in text


def test_a_worker_that_drains_finishes_what_it_has_in_hand(capsys):
    text = page(capsys, plan(drains=True, drain_s=30, hand=("z.ts",)))
    assert "finishes what it has in hand within 30s" in text
    assert "in hand, not divided: 1 file\n  z.ts" in text
    assert "again" not in text
    assert "worker" not in page(capsys, plan())


def test_those_that_wait_for_others_say_for_which(capsys):
    first, second = plan().shares
    text = page(capsys, plan(shares=(first, replace(second, after=(0,)))))
    assert "AFTER" in text and text.splitlines()[3].split()[-1] == "1"


def test_foreign_text_reaches_the_terminal_harmless(capsys):
    item = Item(NASTY, 1)
    text = page(
        capsys,
        plan(
            name=NASTY, strategy=NASTY, strategies=(NASTY, NASTY + "b"), origin=NASTY,
            shares=(Share(title=NASTY, items=(item,)), Share(title="t", items=(item, item))),
            done=(NASTY,), gone=(NASTY,), oversized=(NASTY,), hand=(NASTY,), again=NASTY,
            notes=(NASTY,), drains=False,
        ),
    )  # fmt: skip
    assert "[bold]red[/]" in text
    assert not {"\x1b", "\x9b", "\x07", "\r", "\t"} & set(text)
    report = SplitReport(task_id="a", name=NASTY, text=NASTY, again=(NASTY,))
    done = Operator(plan(), report).run("e2e", "--yes")
    assert not {"\x1b", "\x9b", "\x07", "\r", "\t"} & set(done.stderr)
