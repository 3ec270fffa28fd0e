"""A program that proposes the shares: what it may answer, and what becomes of one that does not."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import psutil
import pytest

from heaptui.errors import Refused
from heaptui.inputs import CHILDREN_MAX, Item, Share
from heaptui.splitting import planner
from heaptui.splitting.planner import Offered, Question, ask

A, B, C = ITEMS = (Item("src/a.py", 6), Item("src/b é.py", 5), Item("c", 30))
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def question(budget: int = 12) -> Question:
    return Question(
        goal=("codex", "exec", "do {items}"),
        items=tuple(Offered(item.name, item.tokens) for item in ITEMS),
        done=("z",),
        budget_tokens=budget,
    )


async def asked(cwd: Path, *argv: str, within_s: float = 30) -> list[Share]:
    return await ask(argv, question(), ITEMS, env=ENV, cwd=cwd, within_s=within_s)


def saying(text: str) -> tuple[str, ...]:
    """A program that answers so whatever it is asked."""
    return ("sh", "-c", 'cat > /dev/null; printf %s "$0"', text)


def shares(*some: tuple[str, list[str], list[int]]) -> str:
    return json.dumps(
        {
            "shares": [
                {"title": title, "items": items, "after": after} for title, items, after in some
            ]
        }
    )


GOOD = shares(("first", ["src/b é.py", "src/a.py"], []), ("the rest", ["c"], [0]))


async def test_an_answer_becomes_shares(tmp_path: Path) -> None:
    assert await asked(tmp_path, *saying(GOOD)) == [
        Share(title="first", items=(B, A)),
        Share(title="the rest", items=(C,), after=(0,)),
    ]


async def test_it_is_asked_all_there_is_to_know(tmp_path: Path) -> None:
    program = tmp_path / "plan.py"
    program.write_text(
        "import json, os, sys\n"
        "asked = json.load(sys.stdin)\n"
        "json.dump([asked, os.getcwd(), dict(os.environ), os.getsid(0) == os.getpid()],"
        " open('seen', 'w'))\n"
        "print(json.dumps({'shares': [{'title': '', 'items': [item['name']]}"
        " for item in asked['items']]}))\n"
    )
    found = await asked(tmp_path, sys.executable, "-I", str(program))
    assert [share.items for share in found] == [(A,), (B,), (C,)]
    assert [share.title for share in found] == ["part 1", "part 2", "part 3"]
    seen, cwd, env, leads = json.loads((tmp_path / "seen").read_text())
    assert seen == {
        "goal": ["codex", "exec", "do {items}"],
        "items": [{"name": item.name, "tokens": item.tokens} for item in ITEMS],
        "done": ["z"],
        "budget_tokens": 12,
        "children_max": CHILDREN_MAX,
    }
    assert (cwd, leads, env["PATH"]) == (str(tmp_path), True, ENV["PATH"])
    assert set(env) <= {"PATH", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


async def test_a_question_longer_than_a_pipe_is_read_or_not(tmp_path: Path) -> None:
    many = tuple(Item(f"directory/{n:06}", 1) for n in range(20_000))
    long = Question(
        goal=("x",),
        items=tuple(Offered(item.name, 1) for item in many),
        done=(),
        budget_tokens=20_000,
    )
    answer = tmp_path / "answer"
    answer.write_text(shares(("all", [item.name for item in many], [])))
    for argv in (("sh", "-c", "cat > copy; cat answer"), ("cat", "answer")):
        found = await ask(argv, long, many, env=ENV, cwd=tmp_path, within_s=30)
        assert found == [Share(title="all", items=many)]
    assert json.loads((tmp_path / "copy").read_text())["items"][-1]["name"] == many[-1].name


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "answers no such JSON"),
        ("I would suggest:", "answers no such JSON"),
        ("[]", "answers no such JSON: Expected `object`"),
        ("{}", "missing required field `shares`"),
        (GOOD + "done", "answers no such JSON"),
        (GOOD.replace('"title"', '"name"'), "unknown field `name`|missing required field"),
        (GOOD[:-1] + ', "why": "x"}', "unknown field `why`"),
        (shares(("x", ["src/a.py"], [])).replace('["src/a.py"]', '"src/a.py"'), "Expected `array`"),
        ('{"shares": []}', "cannot be done. There is no share"),
        (shares(("x", [A.name, B.name], []), ("y", [C.name, A.name], [])), "'src/a.py' .* twice"),
        (shares(("x", [A.name, A.name], []), ("y", [B.name, C.name], [])), "'src/a.py' .* twice"),
        (shares(("x", [A.name, B.name], [])), "'c' would be left undone"),
        (shares(("x", [A.name, B.name], []), ("y", [C.name, "/etc/x"], [])), "is nothing that is"),
        (shares(("x", [A.name, C.name], []), ("y", [B.name], [])), "holds 36 tokens of 12"),
        (shares(("x", [A.name, B.name], [1]), ("y", [C.name], [0])), "wait for one another"),
        (shares(("x", [A.name, B.name], [7]), ("y", [C.name], [])), "which there is not"),
        (shares(("x", [A.name, B.name], []), ("y", [C.name], []), ("z", [], [])), "is empty"),
        (shares(("\x1b[2Jx", ["\x1b[31mred"], [])), "nothing that is left"),
    ],
)
async def test_what_cannot_be_used_is_told(tmp_path: Path, answer: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        await asked(tmp_path, *saying(answer))
    assert caught.value.what.startswith("The planner ")
    assert caught.value.what.endswith(".")
    assert "\x1b" not in caught.value.what


async def test_titles_are_harmless(tmp_path: Path) -> None:
    answer = shares(("\x1b[2J\x07two\nlines" + "x" * 999, [A.name, B.name], []), ("y", ["c"], []))
    first, _ = await asked(tmp_path, *saying(answer))
    assert first.title.startswith("two linesxxx")
    assert len(first.title) == 60


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("/nonexistent/planner",), "cannot be started: .*No such file"),
        (("sh", "-c", "echo one >&2; printf '\\033[31mno model\\n' >&2; exit 3"), "3: no model"),
        (("sh", "-c", "kill -KILL $$"), "ended by signal 9"),
        (("sh", "-c", "cat; exit 0"), "answers no such JSON"),
        (("sh", "-c", "printf '\\377\\376'"), "answers no such JSON"),
        (("sh\0",), "cannot be started"),
    ],
)
async def test_a_program_that_fails_is_told(
    tmp_path: Path, argv: tuple[str, ...], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await asked(tmp_path, *argv)


async def test_nothing_of_it_is_read_by_a_shell(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be started"):
        await asked(tmp_path, "touch it; true")
    with pytest.raises(Refused, match="answers no such JSON"):
        await asked(tmp_path, "echo", "$(touch it)", "; touch it")
    assert list(tmp_path.iterdir()) == []


async def ended(*pids: int) -> None:
    """Waits until these are gone, or only wait to be reaped by whoever adopted them."""
    async with asyncio.timeout(20):
        for pid in pids:
            while psutil.pid_exists(pid):
                try:
                    if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                        break
                except psutil.NoSuchProcess:
                    break
                await asyncio.sleep(0.01)


async def pids(path: Path) -> list[int]:
    async with asyncio.timeout(20):
        while not path.exists() or len(path.read_text().split()) < 2:
            await asyncio.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


HANGS = "sleep 1000 & echo $$ $! > pids; wait"


async def test_one_that_hangs_is_killed_with_its_group(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="gives no answer within 1s"):
        await asked(tmp_path, "sh", "-c", f"trap '' TERM; {HANGS}", within_s=1)
    await ended(*await pids(tmp_path / "pids"))


async def test_one_that_nobody_waits_for_any_more_is_killed(tmp_path: Path) -> None:
    asking = asyncio.create_task(asked(tmp_path, "sh", "-c", HANGS))
    both = await pids(tmp_path / "pids")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await ended(*both)


async def test_an_answer_is_taken_when_it_ends_whatever_it_leaves_behind(tmp_path: Path) -> None:
    left = "sleep 1000 & echo $$ $! > pids; " + 'cat > /dev/null; printf %s "$0"'
    assert len(await asked(tmp_path, "sh", "-c", left, GOOD)) == 2
    await ended(*await pids(tmp_path / "pids"))


async def test_one_that_never_stops_printing_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "ANSWER_LEAST", 64 << 10)
    with pytest.raises(Refused, match=r"prints more than 6\d kB"):
        await asked(tmp_path, "sh", "-c", "echo $$ $$ > pids; exec yes")
    await ended(*await pids(tmp_path / "pids"))
    # and one that complains without end is only held to its time
    with pytest.raises(Refused, match="fails: exit code 1: y"):
        await asked(tmp_path, "sh", "-c", "yes | head -c 3000000 >&2; exit 1")


async def test_one_that_cannot_even_be_asked_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
        with pytest.raises(Refused, match="cannot be asked: No such file"):
            await asked(tmp_path, *saying(GOOD))
