"""Presets and raised limits, from the command line to what runs."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.integration.operating import end, said, wait_until

MIB, GIB = 1 << 20, 1 << 30
LIMIT = "console.log(v8.getHeapStatistics().heap_size_limit); setInterval(() => {}, 1000)"


def printed(heaptui, name: str) -> str:
    """What the task wrote."""

    def written() -> str:
        return heaptui("logs", name).stdout.strip()

    return wait_until(written, f"output of {name}")


# --- presets -------------------------------------------------------------------------------------
def test_presets_are_listed_and_explained(heaptui):
    table = heaptui("presets")
    said(table, 0, "old + 3 x semi-space")
    for name in ("lean", "standard", "large-context", "worker", "production"):
        assert name in table.stdout
        shown = heaptui("presets", "show", name)
        said(shown, 0)
        assert "--max-old-space-size=" in shown.stdout
        assert "--gc_interval has no effect" in shown.stdout
        assert "measured" in shown.stdout
    (lean, *_) = heaptui.told("presets")
    assert lean["name"] == "lean"
    assert lean["limit_bytes"] == 259 * MIB
    assert [place["node"] for place in lean["places"]] == ["NODE_OPTIONS", "NODE_OPTIONS", "argv"]
    said(heaptui("presets", "show", "nope"), 2, "no preset 'nope'", "large-context")


def test_an_operators_own_preset_from_the_file_to_the_process(heaptui):
    own = heaptui.config.parent / "presets"
    own.mkdir()
    (own / "mine.toml").write_text('about = "mine"\nold = "90M"\nsemi = "2M"')
    assert "a file of yours" in heaptui("presets", "show", "mine").stdout
    heaptui.run("node", "-e", LIMIT, preset="mine", name="own")
    assert printed(heaptui, "own") == str(96 * MIB)
    row = heaptui.rows()["own"]
    assert (row["preset"], row["heap_limit_bytes"]) == ("mine", 96 * MIB)
    (own / "mine.toml").write_text("gc = 1")
    said(heaptui("run", "--preset", "mine", "--", "node"), 2, "mine.toml: unknown key 'gc'")


def test_the_cap_grows_to_what_a_preset_needs_or_it_is_refused(heaptui):
    heaptui.config.write_text('[limits]\ncap = "300M"\n')
    heaptui.run("node", "-e", LIMIT, preset="lean", name="grown")
    row = heaptui.until("grown", "running")
    assert (row["cap_bytes"], row["cap_source"]) == (368 * MIB, "preset")
    said(
        heaptui("run", "--preset", "lean", "--cap", "300M", "--", "node"),
        5,
        "256M old + 3 x 4.00M",
        "--cap of at least 368M",
    )
    said(heaptui("run", "--preset", "lean", "--", "python3"), 2, "Python has neither")
    said(heaptui("run", "--preset", "leen", "--", "node"), 2, "no preset 'leen'")
    large = heaptui.config.parent / "presets"
    large.mkdir()
    old = psutil.virtual_memory().total // MIB + 1000
    (large / "huge.toml").write_text(f'old = "{old}M"\nsemi = "16M"')
    said(heaptui("run", "--preset", "huge", "--", "node"), 5, "more than this machine has")


def test_presets_in_a_file_of_tasks(heaptui, tmp_path: Path):
    tasks = tmp_path / "tasks.toml"
    tasks.write_text(
        '[defaults]\npreset = "lean"\n[[task]]\nname = "filed"\n'
        f"command = ['node', '-e', '{LIMIT}']\n"
    )
    assert heaptui("run", "-f", str(tasks)).returncode == 0
    assert printed(heaptui, "filed") == str(259 * MIB)


# --- raising -------------------------------------------------------------------------------------
def test_a_raise_holds_from_the_next_attempt_on(heaptui):
    heaptui.run("node", "-e", LIMIT, cap="400M", heap="200M", name="small")
    assert printed(heaptui, "small") == str(200 * MIB)
    said(heaptui("raise", "small", "--heap", "500M"), 0, "from its next attempt on", "runs with")
    row = heaptui.rows()["small"]
    assert (row["cap_bytes"], row["heap_limit_bytes"]) == (400 * MIB, 200 * MIB)
    assert "raised by the operator" in heaptui("show", "small").stdout

    heaptui("stop", "small")
    assert heaptui("retry", "small").returncode == 0
    wait_until(lambda: printed(heaptui, "small") == str(500 * MIB), "the larger heap")
    # the cap grew with the heap, which needs 100M beside it
    row = heaptui.until("small", "running")
    assert (row["cap_bytes"], row["heap_limit_bytes"]) == (600 * MIB, 500 * MIB)


def test_a_raise_outlives_the_supervisor(heaptui):
    heaptui.run("sh", "-c", "exit 1", cap="300M", name="ended")
    heaptui.until("ended", "failed")
    (row,) = heaptui.told("raise", "ended", "--cap", "500M")
    assert row["cap_bytes"] == 500 * MIB
    heaptui.told("dispatch", "pause")
    heaptui("retry", "ended")
    end(heaptui.supervisor())
    assert heaptui.rows()["ended"]["cap_bytes"] == 500 * MIB


def test_a_heap_raised_for_any_command_is_said_to_be_nodes(heaptui):
    heaptui.run("sleep", "1000", name="shell")
    heaptui.run("node", "-e", LIMIT, cap="400M", heap="200M", name="agent")
    done = heaptui("raise", "shell", "--heap", "200M")
    said(done, 0, "its kind is command: --heap concerns the Node programs in it only")
    assert "raised     by the operator" in heaptui("show", "shell").stdout
    assert "its kind" not in heaptui("raise", "agent", "--heap", "250M").stderr
    assert "its kind" not in heaptui("raise", "shell", "--cap", "2G").stderr


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--cap", "100000G"], 5, ("asked for plain; this machine has", "available")),
        (["--cap", "100M"], 5, ("would lower it",)),
        (["--heap", "100M"], 2, ("Python has none",)),
        ([], 2, ("Nothing is raised",)),
        (["--cap", "much"], 2, ("is not a size",)),
    ],
)
def test_what_cannot_be_raised(heaptui, argv, code, words):
    heaptui.run("python3", "-c", "import time; time.sleep(60)", cap="300M", name="plain")
    said(heaptui("raise", "plain", *argv), code, *words)
    assert heaptui.rows()["plain"]["cap_bytes"] == 300 * MIB


def test_a_heap_that_does_not_fit_under_the_cap_asked_for(heaptui):
    heaptui.run("node", "-e", LIMIT, cap="300M", name="tight")
    said(
        heaptui("raise", "tight", "--cap", "500M", "--heap", "450M"),
        5,
        "100M beside it, 550M together",
        "--cap 550M",
    )


# --- heaptui itself ------------------------------------------------------------------------------
def test_heaptui_looks_at_itself(heaptui):
    said(heaptui("doctor", "--self"), 4, "nothing to look at")
    heaptui.run("sleep", "60", name="held")
    heaptui.until("held", "running")
    report = heaptui.told("doctor", "--self")
    parts = {part["name"].strip(): part for part in report["parts"]}
    assert report["pid"] == heaptui.supervisor()
    assert report["verdict"].startswith("too young")
    assert parts["tasks held"]["now"] == 1
    assert parts["tasks held"]["at_start"] == 0
    assert parts["sockets: operators"]["now"] == 1
    assert parts["memory series"]["now"] == 8160
    assert parts["threads"]["now"] >= 2
    rss = psutil.Process(report["pid"]).memory_info().rss
    assert abs(parts["resident memory"]["now"] - rss) < 8 * MIB
    descriptors = psutil.Process(report["pid"]).num_fds()
    assert abs(parts["open descriptors"]["now"] - descriptors) <= 3
    shown = heaptui("doctor", "--self")
    said(shown, 0)
    assert "AT START" in shown.stdout
