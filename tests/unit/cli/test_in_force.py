"""What `heaptui doctor` says of the configuration, against a machine."""

from __future__ import annotations

import pytest

from heaptui.cli.in_force import alerting, policy_in_force, room
from heaptui.config import AdmissionConfig, AlertsConfig, KindPolicy, PolicyConfig
from heaptui.model import HostSample, Kind
from heaptui.units import GIB

HOST = HostSample(
    at=1.0, name="h", mem_total_bytes=20 * GIB, mem_available_bytes=12 * GIB, pressure=0.0
)


def test_the_policy_in_force():
    found = policy_in_force(PolicyConfig())
    assert found.level == "ok"
    assert found.found.startswith("act; soft limit 80% of the cap")
    assert "gc, checkpoint, recycle" in found.found
    quiet = policy_in_force(
        PolicyConfig(
            mode="observe", soft="off", steps=[], kinds={Kind.NODE: KindPolicy(soft="60%")}
        )
    )
    assert quiet.level == "note"
    assert "no soft limit; node: soft 60%" in quiet.found and "no step" in quiet.found
    assert "only says" in quiet.meaning and quiet.more


@pytest.mark.parametrize(
    ("config", "level", "words"),
    [
        (AdmissionConfig(), "ok", "no budget, reserve 2.00G of 20.0G: 10.0G for tasks now"),
        (AdmissionConfig(budget="4G"), "ok", "budget 4.00G, reserve 2.00G of 20.0G: 4.00G"),
        (AdmissionConfig(budget="19G"), "note", "budget 19.0G"),
        (AdmissionConfig(reserve="15G"), "ok", ": 0B for tasks now"),
        (AdmissionConfig(reserve="32G"), "bad", "reserve 32.0G of 20.0G"),
    ],
)
def test_room_for_tasks(config, level, words):
    found = room(config, HOST)
    assert (found.level, words in found.found) == (level, True), found
    assert bool(found.meaning) == bool(found.more) == (level != "ok")


def test_a_machine_that_does_not_tell_its_pressure():
    unknown = HostSample(at=1.0, name="h", mem_total_bytes=GIB, mem_available_bytes=GIB)
    assert "pressure is not known here" in room(AdmissionConfig(), unknown).found
    assert "above 10 % pressure" in room(AdmissionConfig(), HOST).found


def test_whether_the_hook_can_be_run(tmp_path):
    assert "no hook" in alerting(AlertsConfig()).found
    hook = tmp_path / "hook"
    config = AlertsConfig(hook=[str(hook), "me"], bell="off")
    missing = alerting(config)
    assert (missing.level, missing.found.endswith("which is not there")) == ("bad", True)
    hook.mkdir()
    assert alerting(config).found.endswith("which is no file")
    hook.rmdir()
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o644)
    plain = alerting(config)
    assert plain.level == "bad" and plain.more == f"chmod +x {hook}"
    hook.chmod(0o755)
    assert alerting(config).level == "ok"
    assert alerting(config).found == f"on the screen (off); hook {hook}"
