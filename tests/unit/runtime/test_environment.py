"""What a task's environment holds."""

import pytest

from heaptui.errors import UsageError
from heaptui.model import TaskSpec
from heaptui.runtime.environment import task_environment

SUBMITTER = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "LC_ALL": "C.UTF-8",
    "API_KEY": "secret",
    "HEAPTUI_TASK": "outer.3",
    "HEAPTUI_WORKER_SOCKET": "/outer.sock",
    "HEAPTUI_STATE": "/state",
}
MARKS = {
    "HEAPTUI_TASK": "k7.2",
    "HEAPTUI_TASK_ID": "k7",
    "HEAPTUI_TASK_NAME": "build",
    "HEAPTUI_ATTEMPT": "2",
}


def spec(**more: object) -> TaskSpec:
    return TaskSpec(argv=("true",), cwd="/", name="build", **more)  # type: ignore[arg-type]


def test_the_whole_environment_with_the_tasks_own_over_it() -> None:
    env = task_environment(spec(env={"HOME": "/elsewhere", "X": "1"}), SUBMITTER, "k7", 2)
    assert env == MARKS | {
        "PATH": "/bin",
        "HOME": "/elsewhere",
        "X": "1",
        "LC_ALL": "C.UTF-8",
        "API_KEY": "secret",
        "HEAPTUI_STATE": "/state",
    }


def test_a_clean_one() -> None:
    env = task_environment(spec(env={"X": "1"}, clean_env=True), SUBMITTER, "k7", 2)
    assert env == MARKS | {"PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C.UTF-8", "X": "1"}


def test_the_marks_cannot_be_forged() -> None:
    assert task_environment(spec(env={"HEAPTUI_TASK": "x"}), {}, "k7", 2) == MARKS


@pytest.mark.parametrize("name", ["", "A=B", "A\0", "\x1b[2J", "A\x9b", "A\n"])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        task_environment(spec(env={name: "x"}), {}, "k7", 1)
    with pytest.raises(UsageError):
        task_environment(spec(), {name: "x"}, "k7", 1)


def test_a_value_may_hold_everything_but_a_zero_byte() -> None:
    assert task_environment(spec(env={"A": "x=\x1b\n"}), {}, "k7", 1)["A"] == "x=\x1b\n"
    with pytest.raises(UsageError):
        task_environment(spec(env={"A": "x\0y"}), {}, "k7", 1)


def test_a_worker_is_told_where_to_speak_and_to_keep() -> None:
    env = task_environment(
        spec(env={"HEAPTUI_RESULT": "/elsewhere"}),
        {"HEAPTUI_SOCKET": "/outer.sock"},
        "k7",
        2,
        socket="/s/worker.sock",
        checkpoint="/s/k7/checkpoint",
        result="/s/k7/result",
        preload=False,
    )
    assert env == MARKS | {
        "HEAPTUI_SOCKET": "/s/worker.sock",
        "HEAPTUI_CHECKPOINT": "/s/k7/checkpoint",
        "HEAPTUI_RESULT": "/s/k7/result",
        "HEAPTUI_PRELOAD": "off",
    }


def test_a_worker_is_told_what_it_works_through() -> None:
    works = {"HEAPTUI_DONE": "/s/k7/done", "HEAPTUI_SLICE": "/s/k7/slice"}
    forged = {"HEAPTUI_DONE": "/elsewhere"}
    env = task_environment(spec(env=forged), {"HEAPTUI_SLICE": "/outer"}, "k7", 2, works=works)
    assert env == MARKS | works
    assert task_environment(spec(), works, "k7", 2) == MARKS
