"""Tasks from a TOML file."""

from pathlib import Path

import pytest

from heaptui.errors import Unreadable, UsageError
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.runtime.taskfile import repeated, tasks_from_toml

BASE = Path("/srv/agents")


def test_every_key_is_used() -> None:
    text = """
        [defaults]
        cap = "600M"
        env = { A = "1", B = "1" }
        [[task]]
        name = "summarise"
        kind = "command"
        command = "python 'my agent.py' -v"
        cap = "1G"
        heap = "300M"
        timeout = "20m"
        grace = 3
        output = 1048576
        retries = 2
        priority = -5
        cwd = "sub"
        env = { B = "2" }
        clean-env = true
        preset = "lean"
        preload = false
        tracemalloc = 5
        [[task]]
        command = ["node", "x.js"]
        count = 2
    """
    whole, *two = tasks_from_toml(text, BASE).specs
    assert whole == TaskSpec(
        argv=("python", "my agent.py", "-v"),
        cwd="/srv/agents/sub",
        name="summarise",
        kind=Kind.COMMAND,
        limits=Limits(
            cap_bytes=1 << 30,
            heap_bytes=300 << 20,
            timeout_s=1200,
            grace_s=3,
            output_bytes=1 << 20,
        ),
        priority=-5,
        retries=2,
        env={"A": "1", "B": "2"},
        clean_env=True,
        preset="lean",
        preload=False,
        tracemalloc=5,
    )
    assert [spec.name for spec in two] == ["x.js/1", "x.js/2"]
    assert {(spec.kind, spec.cwd, spec.limits) for spec in two} == {
        (Kind.NODE, "/srv/agents", Limits(cap_bytes=600 << 20))
    }


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("", "holds no task", "[[task]]"),
        ("[task]\ncommand = 'x'", "a task is a table", "[[task]]"),
        ("[[tasks]]\ncommand = 'x'", "'tasks'", "'task'"),
        ("[defaults]\ncommand = 'x'", "[defaults]", "Known"),
        ("[[task]]\nname = 'a'", "task 1 ('a'): there is no command", "command ="),
        ("[[task]]\ncommand = 'x'\n[[task]]\ncommand = 'y'\ncapp = 1", "task 2: unk", "'cap'"),
        ("[[task]]\ncommand = 'x'\ncap = 'big'", "task 1, cap:", "300M"),
        ("[[task]]\ncommand = 'x'\ncap = true", "task 1, cap:", "300M"),
        ("[[task]]\ncommand = 'x'\ntimeout = 0", "task 1, timeout:", "20m"),
        ("[[task]]\ncommand = 'x'\nkind = 'ruby'", "task 1, kind:", "command, node, python"),
        ('[[task]]\ncommand = "it\'s"', "task 1, command:", "list of strings"),
        ("[[task]]\ncommand = []", "task 1, command:", "list of strings"),
        ("[[task]]\ncommand = ['x', 3]", "task 1, command:", "list of strings"),
        ("[[task]]\ncommand = 'x'\nenv = { A = 1 }", "task 1, env.A:", "quotes"),
        ("[[task]]\ncommand = 'x'\nretries = true", "task 1, retries:", "0 to 1000"),
        ("[[task]]\ncommand = 'x'\ncount = 0", "task 1, count:", "1 to"),
        ("[[task]]\ncommand = 'x'\nclean-env = 'yes'", "task 1, clean-env:", "true or false"),
        ("[[task]\n", "not valid TOML", "line"),
    ],
)
def test_errors_name_the_task_the_key_and_the_way_out(text: str, what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        tasks_from_toml(text, BASE, "tasks.toml")
    assert "tasks.toml" in caught.value.what
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_what_each_task_works_through_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x")
    (tmp_path / "list.txt").write_text("ticket 7\n")
    (tmp_path / "TASKS.md").write_text("- [ ] one\n")
    text = """
        [[task]]
        command = ["lint", "{items}"]
        cwd = "src"
        inputs = "*.py"
        [[task]]
        command = "plain"
        count = 2
        [[task]]
        command = "review {slice}"
        cwd = "src"
        inputs-from = "list.txt"
        [[task]]
        command = "work {task_file}"
        cwd = "src"
        task-file = "TASKS.md"
    """
    specs, inputs = tasks_from_toml(text, tmp_path)
    assert [spec.argv for spec in specs] == [
        ("lint", "{items}"),
        ("plain",),
        ("plain",),
        ("review", "{slice}"),
        ("work", "{task_file}"),
    ]
    found = [None if one is None else [item.name for item in one.items] for one in inputs]
    assert found == [["a.py"], None, None, ["ticket 7"], ["one"]]


@pytest.mark.parametrize(
    ("keys", "what", "remedy"),
    [
        ("inputs = []", "task 1, inputs:", "a list of paths and patterns"),
        ("inputs = [3]", "task 1, inputs:", "a list of paths and patterns"),
        ("inputs = ['*.rs']", "task 1: ", ""),
        ("inputs-from = ['x']", "task 1, inputs-from:", "text in quotes"),
        ("inputs-from = ''", "task 1, inputs-from:", "path of a file"),
        ("inputs-from = '-'", "task 1, inputs-from:", "path of a file"),
        ("task-file = 'gone.md'", "task 1: ", ""),
        ("inputs-from = 'x'\ntask-file = 'y'", "task 1: inputs-from and task-file", "Keep one"),
        ("inputs-from = 'x'\ncount = 2", "task 1: each of 2 copies", "split"),
    ],
)
def test_what_no_task_can_work_through(tmp_path: Path, keys: str, what: str, remedy: str) -> None:
    with pytest.raises((UsageError, Unreadable)) as caught:
        tasks_from_toml(f"[[task]]\ncommand = 'x'\n{keys}", tmp_path, "tasks.toml")
    assert f"tasks.toml, {what}" in caught.value.what
    assert remedy in caught.value.remedy


def test_inputs_belong_to_one_task(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="inputs"):
        tasks_from_toml("[defaults]\ninputs = ['x']\n[[task]]\ncommand = 'x'", tmp_path)


def test_numbered_names_still_fit() -> None:
    specs = repeated(TaskSpec(argv=("x",), cwd="/", name="n" * 80), 12)
    assert specs[11].name == "n" * 77 + "/12"
    assert len({spec.name for spec in specs}) == 12
