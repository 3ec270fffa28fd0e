"""The keys that an alert names are keys that there are."""

from __future__ import annotations

from heaptui.config import AlertsConfig
from heaptui.model import HostSample, ProcessHeap, State, VerdictKind
from heaptui.store.records import Kin
from heaptui.supervisor import alerts
from heaptui.supervisor.alerts import Thresholds, of_end, of_machine, of_memory_end, of_silence
from heaptui.tui.keymap import BINDINGS
from tests.unit.supervisor.tasks import GIB, sample, task


def everything():
    host = HostSample(
        at=1.0, name="h", mem_total_bytes=GIB, mem_available_bytes=1, pressure=99.0,
        swap_total_bytes=GIB, swap_used_bytes=GIB,
    )  # fmt: skip
    limits = Thresholds.of(AlertsConfig())
    yield from of_machine(host, 9 * GIB, "full", limits, ())
    heap = ProcessHeap(pid=1, ppid=1, runtime="node", version="", at=1.0, can=("gc", "snapshot"))
    live = task("a", State.RUNNING, cap_bytes=9 * GIB, soft_bytes=GIB, checkpoint_at=1.0)
    live.heaps = (heap,)
    live.items = 9
    for memory, handed in ((9, None), (5, None), (2, "x"), (2, None)):
        live.sample, live.handed = sample("a", memory * GIB), handed
        yield from (alert for _, alert in alerts.of_running(live, limits, ()))
    yield of_silence(live, 900.0)[1]
    yield of_memory_end(live)
    for state in (State.FAILED, State.LOST, State.QUARANTINED):
        for verdict in (VerdictKind.FAILED, VerdictKind.CAP):
            for given in ({}, {"items": 9}, {"kin": Kin(children=2)}):
                yield of_end(task("a", state, verdict=verdict, **given), limits, fresh=True)


def test_every_action_is_a_key_and_every_alert_has_a_meaning():
    ids = {entry.id for entry in BINDINGS}
    found = list(everything())
    assert {alert.id.partition(":")[0] for alert in found} >= {
        "store", "host", "pressure", "swap", "supervisor", "cap", "worker", "handed", "soft",
        "silent", "oom", "ended",
    }  # fmt: skip
    for alert in found:
        assert set(alert.actions) <= ids, alert
        assert alert.meaning.endswith("."), alert
        assert alert.actions or alert.id == "store", alert
