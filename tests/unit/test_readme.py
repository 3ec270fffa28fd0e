"""The README cannot drift from the program: its tables, examples and queries are checked here."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import msgspec
import pytest

from heaptui.cli.main import cli
from heaptui.config import EXAMPLE, Config
from heaptui.errors import FAMILY
from heaptui.inputs import Item, Share, Source
from heaptui.model import AttemptRecord, CapMeans, Kind, Row, State, VerdictKind
from heaptui.runtime.prompts import fixed_prompt_tokens
from heaptui.runtime.taskfile import tasks_from_toml
from heaptui.splitting import agreement
from heaptui.splitting.planner import Answer, Question
from heaptui.splitting.strategies import possible
from heaptui.store.records import Batch
from heaptui.store.store import Store
from heaptui.tui.keymap import markdown_table
from heaptui.units import MIB

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PICTURE_MOST = 300_000


def section(title: str) -> str:
    """What stands under a heading, up to the next one of its own or a higher rank."""
    found = re.search(rf"^(##+) {re.escape(title)}\n", README, re.MULTILINE)
    assert found, title
    rest = README[found.end() :]
    end = re.search(rf"^#{{2,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def fenced(text: str, language: str) -> list[str]:
    """The blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def first_cells(text: str) -> set[str]:
    """What stands as code in the first column of the tables."""
    rows = [line.replace(r"\|", "/").split("|")[1] for line in text.splitlines() if line[:1] == "|"]
    return {code for cell in rows for code in re.findall(r"`([^`]+)`", cell)}


def test_it_opens_with_two_commands_that_the_makefile_has() -> None:
    opening = README.splitlines()[:10]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in ("demo", "test"):
        assert any(line.startswith(f"make {target} ") for line in opening)
        assert target in targets
    named = re.search(r"^`make` targets: (.*)", section("How it is built"), re.MULTILINE)
    assert named and set(re.findall(r"`([\w-]+)`", named[1])) == targets


def test_the_table_of_keys_is_the_generated_one() -> None:
    table = [line for line in section("Keys").splitlines() if line.startswith("|")]
    assert "\n".join(table) == markdown_table()


def test_the_configuration_is_the_example() -> None:
    assert fenced(section("Configuration"), "toml") == [EXAMPLE]


def test_the_task_file_says_what_the_text_says(tmp_path: Path) -> None:
    (example,) = fenced(section("Tasks"), "toml")
    specs = tasks_from_toml(example, tmp_path).specs
    assert [spec.name for spec in specs] == [
        "summarise/1", "summarise/2", "summarise/3", "count-words",
    ]  # fmt: skip
    assert [spec.kind for spec in specs] == [Kind.PYTHON] * 3 + [Kind.COMMAND]
    assert {spec.limits.cap_bytes for spec in specs} == {600 * MIB}
    assert specs[0].cwd == str(tmp_path / "work")
    assert (specs[0].env, specs[0].limits.timeout_s) == ({"MODEL": "small"}, 1200)
    assert (specs[3].cwd, specs[3].retries) == (str(tmp_path), 2)


def test_every_command_and_every_option_is_listed() -> None:
    listed = {cell.split()[1] for cell in first_cells(section("Command line")) if " " in cell}
    assert set(cli.commands) <= listed
    text = section("Command line")
    for name, command in cli.commands.items():
        place = section("Tasks") if name == "run" else text
        for spellings in options(command):
            assert any(re.search(rf"[`\[]{option}\b", place) for option in spellings), (
                name,
                spellings,
            )
    for spellings in options(cli):
        assert f"`{spellings[0]}" in text or spellings == ["--version"], spellings


def options(command: click.Command) -> list[list[str]]:
    """The options that the help shows, each in its spellings."""
    return [
        parameter.opts
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    ]


def test_the_commands_that_print_json_are_named() -> None:
    (sentence,) = re.findall(r"^(.*) take `--json`\.", section("Command line"), re.MULTILINE)
    able = {name for name, command in cli.commands.items() if ["--json"] in options(command)}
    assert set(re.findall(r"`(\w+)`", sentence)) == able


def test_the_exit_codes_are_those_of_the_errors() -> None:
    codes = {
        int(code) for code in re.findall(r"^\| (\d) \|", section("Command line"), re.MULTILINE)
    }
    assert codes == {0} | {error.exit_code for error in FAMILY.values()}


def test_every_field_of_ps_is_explained() -> None:
    assert first_cells(section("`ps --json`")) == set(Row.__struct_fields__)


def test_every_state_is_named() -> None:
    (row,) = re.findall(r"^\|.*\| `state`: (.*) \|$", section("`ps --json`"), re.MULTILINE)
    assert row.split(", ") == [state.value for state in State]


def test_every_strategy_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", section("What a task works through")))
    assert {name for source in Source for name in possible(source)} <= told


def test_the_planners_example_is_a_question_and_an_answer_to_it() -> None:
    asked, answered = fenced(section("A planner, and strategies of your own"), "json")
    question = msgspec.json.decode(asked, type=Question)
    answer = msgspec.json.decode(answered, type=Answer)
    assert set(msgspec.json.decode(asked)) == set(Question.__struct_fields__)
    left = [Item(one.name, one.tokens) for one in question.items]
    items = {item.name: item for item in left}
    shares = [
        Share(title=one.title, items=tuple(items[name] for name in one.items), after=one.after)
        for one in answer.shares
    ]
    agreement.check(shares, left, lines_of=lambda name: 0)
    assert all(share.tokens <= question.budget_tokens for share in shares)
    assert question.budget_tokens + fixed_prompt_tokens(question.goal) == Config().split.budget


def test_what_prompts_take_is_what_the_text_says() -> None:
    (words,) = re.findall(r"heaptui knows the program \((.*?)\)", section("Splitting a task"))
    for tokens, agent in re.findall(r"([\d.]+)k for (\w+)", words):
        assert fixed_prompt_tokens([agent]) == float(tokens) * 1000


def test_every_verdict_is_explained() -> None:
    assert first_cells(section("Verdicts")) == {kind.value for kind in VerdictKind}


@pytest.mark.parametrize("means", list(CapMeans))
def test_every_means_of_a_cap_is_explained(means: CapMeans) -> None:
    assert f"\n| {means.value} |" in section("Caps")


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """As heaptui leaves it: one attempt that finished and one that went over its cap."""
    path = tmp_path / "heaptui.db"
    store = await Store.open(path, "readme")
    ends = {"calm": (VerdictKind.FINISHED, 40), "greedy": (VerdictKind.CAP, 299)}
    await store.write(
        Batch(
            attempts=[
                AttemptRecord(
                    id=0,
                    task_id=name,
                    attempt=1,
                    name=name,
                    kind=Kind.PYTHON,
                    status="done",
                    created_at=4e9,
                    started_at=4e9,
                    ended_at=4e9 + 90,
                    peak_bytes=peak * MIB,
                    cap_bytes=300 * MIB,
                    verdict=verdict,
                )
                for name, (verdict, peak) in ends.items()
            ]
        )
    )
    await store.close()
    return path


async def test_every_query_finds_what_it_says(database: Path) -> None:
    (script,) = fenced(section("History"), "sh")
    queries = re.findall(r'^sqlite3 -readonly -box \$DB "(.*)"$', script, re.MULTILINE)
    assert len(queries) == script.count("sqlite3 ")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        most, by_name, ends, near, longest = (
            connection.execute(query).fetchall() for query in queries
        )
    assert most[0] == ("greedy", 1, "greedy", 299.0, "cap")
    assert by_name == [("greedy", "python", 1, 299.0, 299.0), ("calm", "python", 1, 40.0, 40.0)]
    assert sorted(ends) == [("cap", 1), ("finished", 1)]
    assert near == [("greedy", "greedy", 299.0, 300.0, "cap")]
    assert [row[3] for row in longest] == [1.5, 1.5]


async def test_every_column_of_worker_sessions_is_explained(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        columns = connection.execute("SELECT name FROM pragma_table_info('worker_sessions')")
        names = {name for (name,) in columns}
    assert first_cells(section("History")) == names


def test_its_pictures_are_there_and_light() -> None:
    pictures = re.findall(r"\]\((screenshots/[^)]+\.svg)\)", README)
    assert pictures
    for picture in pictures:
        data = (ROOT / picture).read_bytes()
        assert data.startswith(b"<svg") and len(data) <= PICTURE_MOST


def test_its_links_within_itself_and_to_files_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")
        for title in re.findall(r"^##+ (.*)", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (ROOT / target).exists(), target
