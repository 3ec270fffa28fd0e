"""`heaptui events`: everything once, whoever supervises, and alerts with what they mean."""

from __future__ import annotations

import json
import signal
from collections import Counter

import pytest

from tests.integration.operating import Operated, end, said, wait_until

NASTY = "agent \x1b[2J\x1b]0;title\x07x"


@pytest.fixture
def operated(tmp_path):
    made = Operated(tmp_path / "s")
    yield made
    made.clean_up()


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_nothing_has_happened_yet(operated):
    done = operated("events")
    said(done, 0, "nothing has happened yet")
    assert done.stdout == ""
    said(operated("events", "nobody"), 3, "Nothing has run")


def test_what_happened_of_all_and_of_one(operated):
    operated.config.write_text('[alerts]\nhook = ["/nowhere/pager"]\n')
    one = operated.run("sh", "-c", "exit 3", name=NASTY)
    two = operated.run("true", name="other")
    operated.until("other", "done")
    wait_until(lambda: "hook" in operated("events").stdout, "the alert of the failure")
    happened = lines(operated("events", "--json").stdout)
    kinds = [event["kind"] for event in happened if event["task_id"] == one]
    assert kinds[0] == "queued" and {"started", "failed", "alert"} <= set(kinds)
    (alert,) = [event for event in happened if event["kind"] == "alert"]
    assert (alert["task_id"], alert["name"], alert["attempt"]) == (one, "agent x", 1)
    (machine,) = [event for event in happened if event["kind"] == "hook"]
    assert machine["task_id"] is machine["name"] is machine["attempt"] is None
    assert [event["at"] for event in happened] == sorted(event["at"] for event in happened)
    of_two = lines(operated("events", "other", "--json").stdout)
    assert {event["task_id"] for event in of_two} == {two}
    assert lines(operated("events", "other", two[:6], "--json", "-n", "1").stdout) == of_two[-1:]
    shown = operated("events").stdout
    assert "\x1b" not in shown and "\x07" not in shown
    assert "failed        agent x: exit code 3" in shown
    assert "hook          this machine: the alert hook failed: /nowhere/pager" in shown
    said(operated("events", "nobody"), 3, "No task fits")


def test_following_tells_each_once_over_a_hand_over(operated, tmp_path):
    operated.config.write_text('[alerts]\nsilent = "1s"\n')
    out = (tmp_path / "out").open("w+")
    first = operated.run("sleep", "60", name="first")
    follower = operated.start("events", "--follow", "--json", stdout=out)

    def told() -> list[dict]:
        text = (tmp_path / "out").read_text()
        return lines(text[: text.rfind("\n") + 1])

    def of(task: str, kind: str) -> list[dict]:
        return [event for event in told() if (event["task_id"], event["kind"]) == (task, kind)]

    try:
        wait_until(lambda: of(first, "alert"), "the alert")
        (alert,) = of(first, "alert")
        assert alert["id"] == f"silent:{first}" and alert["level"] == "amber"
        assert "may hang" in alert["meaning"] and "task.stop" in alert["actions"]
        before = operated.supervisor()
        end(before)
        second = operated.run("sh", "-c", "exit 3", name="second")
        wait_until(lambda: of(second, "failed"), "what happens under the next supervisor")
        assert operated.supervisor() != before
        assert operated("kill", first).returncode == 0
        wait_until(lambda: of(first, "alert-over"), "the end of the alert")
        assert of(first, "alert-over")[0]["id"] == f"silent:{first}"
        stored = lines(operated("events", "--json", "-n", "1000").stdout)
        wait_until(lambda: len(told()) >= len(stored), "everything that is stored")
        keys = ("at", "task_id", "kind", "text")
        times = Counter(tuple(event[key] for key in keys) for event in told())
        assert max(times.values()) == 1
        assert {tuple(event[key] for key in keys) for event in stored} <= set(times)
        assert len(of(first, "alert")) == 1
    finally:
        follower.send_signal(signal.SIGINT)
        _, words = follower.communicate(timeout=30)
        out.close()
    assert follower.returncode == 130, words
    assert b"Traceback" not in words
