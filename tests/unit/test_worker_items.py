"""heaptui.worker going through items: what it notes as done, gives again, and tells."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heaptui import inputs, worker
from heaptui.splitting.left import read_done
from heaptui.wire import Context, Drained, Progress
from tests.unit.test_worker import WITHIN_S, around, server

__all__ = ("around", "server")


@pytest.fixture
def listed(around: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five items, of which the first is done."""
    (around / "slice").write_text("a\nb\nc c\nü\ne")
    (around / "done").write_text("a\ne")
    monkeypatch.setenv("HEAPTUI_SLICE", str(around / "slice"))
    monkeypatch.setenv("HEAPTUI_DONE", str(around / "done"))
    return around / "done"


def noted(path: Path) -> set[str]:
    """A line that somebody was killed in is ended by a zero byte, and names nothing."""
    return {line for line in read_done(path) if "\0" not in line}


def hand_of(server, names: tuple[str, ...]) -> Progress:
    while (found := server.until(Progress)).hand != names:
        pass
    return found


# --- a loop
def test_what_is_left_is_given_once_and_done_when_its_turn_has_ended(listed):
    w = worker.connect()
    seen = []
    for name in w.items():
        seen.append(name)
        # nothing ever counts before its turn has ended
        assert noted(listed) == {"a", *seen[:-1]}
    assert seen == ["b", "c c", "ü", "e"]
    assert noted(listed) == {"a", *seen}
    assert list(w.items()) == w.left() == []


def test_arguments_go_as_well_as_a_list(listed):
    assert list(worker.connect().items(["x", "a", "y"])) == ["x", "y"]
    assert noted(listed) == {"a", "x", "y"}


@pytest.mark.parametrize("leaves", ["break", "raises"])
def test_an_item_that_is_left_is_not_done_and_given_again(listed, leaves):
    w = worker.connect()

    def loop() -> None:
        for name in w.items():
            if name == "ü":
                if leaves == "break":
                    break
                raise RuntimeError(name)

    if leaves == "break":
        loop()
    else:
        with pytest.raises(RuntimeError):
            loop()
    assert w.left() == ["ü", "e"]
    assert list(w.items()) == ["ü", "e"]


def test_a_drain_ends_the_loop_between_two_items(server, listed):
    w = worker.connect()
    seen = []
    for name in w.items():
        seen.append(name)
        w.draining.set()
    assert seen == ["b"]
    assert w.left() == ["c c", "ü", "e"]
    assert isinstance(server.until(Drained), Drained)


def test_a_drain_in_the_last_item_leaves_nothing_to_do_and_is_none(server, listed):
    w = worker.connect()
    for name in w.items():
        if name == "e":
            w.draining.set()
    w.result(1)
    w.close()
    while (message := server.heard.get(timeout=WITHIN_S)) != "closed":
        assert not isinstance(message, Drained)


def test_a_slice_that_is_gone_is_no_finished_work(listed, monkeypatch):
    monkeypatch.setenv("HEAPTUI_SLICE", str(listed.with_name("nowhere")))
    with pytest.raises(FileNotFoundError):
        list(worker.connect().items())


def test_several_threads_share_the_items(around, monkeypatch):
    names = [f"n{n}" for n in range(300)]
    (around / "slice").write_text("\n".join(names) + "\n")
    monkeypatch.setenv("HEAPTUI_SLICE", str(around / "slice"))
    monkeypatch.setenv("HEAPTUI_DONE", str(around / "done"))
    w = worker.connect()
    seen: list[str] = []
    all_begun = threading.Barrier(4)

    def loop() -> None:
        all_begun.wait()
        seen.extend(w.items())

    threads = [threading.Thread(target=loop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(names)
    assert sorted((around / "done").read_text().split()) == sorted(names)


def test_what_another_thread_has_in_hand_in_a_drain_is_not_left(server, listed):
    w = worker.connect()
    mine = w.items()
    assert [next(mine), next(mine), next(mine)] == ["b", "c c", "ü"]
    for name in w.left():
        if name != "ü":
            w.done(name)
    w.draining.set()
    assert list(w.items()) == []
    assert list(mine) == []
    assert w.left() == []
    w.close()
    while (message := server.heard.get(timeout=WITHIN_S)) != "closed":
        assert not isinstance(message, Drained)


# --- one by one
def test_one_item_is_done_when_it_ends_and_not_when_it_raises(listed):
    w = worker.connect()
    with w.item("b") as name:
        assert name == "b"
        assert "b" not in read_done(listed)
    with pytest.raises(KeyboardInterrupt), w.item("ü"):
        raise KeyboardInterrupt
    assert w.left() == ["c c", "ü", "e"]


def test_a_pool_goes_through_what_is_left(listed):
    w = worker.connect()

    def one(name: str) -> None:
        with w.item(name):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, w.left()))
    assert w.left() == []


@pytest.mark.parametrize("name", ["", "a\nb", "a\r", "a\0b", "ü" * (worker.NAME_MAX // 2) + "x"])
def test_what_cannot_be_an_item_is_the_programs_mistake(listed, name):
    w = worker.connect()
    before = listed.read_bytes()
    with pytest.raises(ValueError, match=r"item"):
        w.done(name)
    with pytest.raises(ValueError, match=r"item"), w.item(name):
        pass
    with pytest.raises(ValueError, match=r"item"):
        list(w.items([name]))
    assert listed.read_bytes() == before


def test_the_module_and_heaptui_agree_on_the_longest_name(listed):
    assert worker.NAME_MAX == inputs.NAME_MAX
    name = "x" * worker.NAME_MAX
    assert worker.done(name)
    assert name in read_done(listed)


def test_a_line_that_somebody_was_killed_in_becomes_no_items_name(listed):
    assert worker.connect().done("x")
    assert listed.read_bytes() == b"a\ne\0\nx\n"


def test_the_list_is_this_users_alone(around, monkeypatch):
    monkeypatch.setenv("HEAPTUI_DONE", str(around / "new"))
    assert worker.done(Path("x/y"))
    assert (around / "new").read_text() == "x/y\n"
    assert (around / "new").stat().st_mode & 0o777 == 0o600


def test_trouble_with_the_disk_is_no_trouble_for_the_work(around, monkeypatch):
    monkeypatch.setenv("HEAPTUI_DONE", str(around))
    w = worker.connect()
    assert not w.done("x")
    with w.item("y"):
        pass


def test_without_anything_around_nothing_happens(around, monkeypatch):
    for name in ("SLICE", "DONE", "HANDOVER"):
        monkeypatch.delenv(f"HEAPTUI_{name}", raising=False)
    assert not worker.done("x")
    w = worker.connect()
    assert not w.done("x")
    assert list(w.items()) == []
    assert list(w.items(["p", "q"])) == ["p", "q"]
    with w.item("y"):
        w.context(1, 2)
    assert w.handover() is None
    assert list(around.iterdir()) == []


def test_a_handover_is_parsed(around, monkeypatch):
    (around / "handover").write_text('{"goal": ["x"], "error": "ü"}')
    monkeypatch.setenv("HEAPTUI_HANDOVER", str(around / "handover"))
    assert worker.handover() == worker.connect().handover() == {"goal": ["x"], "error": "ü"}


# --- what it tells
def test_what_is_in_hand_is_told_with_the_latest_progress(server, listed):
    w = worker.connect()
    w.progress(1, 4, "x")
    with w.item("b"), w.item("ü\udcff"):
        assert hand_of(server, ("b", "ü?")) == Progress(done=1, total=4, text="x", hand=("b", "ü?"))
        w.progress(2, 4, "y")
    assert hand_of(server, ()) == Progress(done=2, total=4, text="y", hand=())


def test_of_a_crowd_in_hand_so_many_are_told(server, listed):
    w = worker.connect()
    for n in range(200):
        w._take(f"{n:03}" * 1365)
    w.flush()
    while len((found := server.until(Progress)).hand) < 64:
        pass
    assert found.hand[0].startswith("000000")


def test_how_full_the_context_is_and_nothing_odd(server):
    w = worker.connect()
    w.context(10, 200)
    assert server.until(Context) == Context(used=10, limit=200)
    w.context(float("nan"))
    w.context("x")
    w.context(11)
    assert server.until(Context) == Context(used=11)


def test_the_last_words_are_not_held_back(server):
    """However often it spoke just before."""
    w = worker.connect()
    for n in range(30):
        w.log(str(n))
    assert w.flush()
    heard = [server.heard.get(timeout=WITHIN_S) for _ in range(31)]
    assert len(heard) == 31


def test_a_forked_child_has_nothing_in_hand_and_notes_what_it_does(server, listed):
    source = (
        "import os\nfrom heaptui import worker\nw = worker.connect()\n"
        "with w.item('b'):\n"
        "    if os.fork() == 0:\n"
        "        with w.item('c c'):\n            pass\n"
        "        w.flush()\n        os._exit(0)\n"
        "    os.wait()\n"
    )
    subprocess.run([sys.executable, "-c", source], check=True, timeout=60)
    assert noted(listed) == {"a", "b", "c c"}
    hands = []
    while (message := server.heard.get(timeout=WITHIN_S)) != "closed" or len(hands) < 2:
        if isinstance(message, Progress):
            hands.append(message.hand)
    assert ("b", "c c") not in hands


# --- whole programs
def test_a_sigterm_ends_the_least_program_between_two_items(listed, tmp_path):
    source = (
        "import os, signal\nfrom heaptui import worker\n"
        "for name in worker.items():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    print(name)\n"
    )
    argv = [sys.executable, "-W", "error", "-c", source]
    for name in ("b", "c c"):
        done = subprocess.run(argv, check=True, timeout=60, capture_output=True)
        assert done.stdout.decode() == f"{name}\n"
    assert worker.Worker().left() == ["ü", "e"]


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "argv", [(sys.executable, str(EXAMPLES / "items.py")), ("sh", str(EXAMPLES / "items.sh"))]
)
def test_the_examples_work_in_any_surroundings(tmp_path, argv):
    for n in range(3):
        (tmp_path / f"{n}.md").write_text("word " * n)
    (tmp_path / "out").mkdir()
    (tmp_path / "slice").write_text("0.md\n1.md\n2.md\n")
    (tmp_path / "done").write_text("")
    env = {"HEAPTUI_SLICE": "slice", "HEAPTUI_DONE": "done", "PATH": os.environ["PATH"]}
    subprocess.run([*argv, "out"], cwd=tmp_path, check=True, timeout=60, env=env)
    found = {one.name: int(one.read_text()) for one in (tmp_path / "out").iterdir()}
    assert found == {"0.md.words": 0, "1.md.words": 1, "2.md.words": 2}
    assert (tmp_path / "done").read_text() == "0.md\n1.md\n2.md\n"
