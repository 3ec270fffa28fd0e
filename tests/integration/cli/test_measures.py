"""`heaptui measures`, `heaptui metrics` and the loopback port, with real commands."""

from __future__ import annotations

import http.client
import socket

from tests.integration.operating import Operated, said, wait_until


def test_measures_and_metrics_are_told(heaptui: Operated, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "config.toml"
    config.write_text(f"[metrics]\nport = {port}\n")
    # a supervisor that has nothing left to watch leaves, and what it counted with it
    said(heaptui("--config", str(config), "run", "--name=work", "--", "sleep", "300"), 0)
    said(heaptui("measures"), 0, "no attempt has ended yet")
    heaptui.run("sh", "-c", "exit 3", name="scan/1")
    heaptui.run("sleep", "0", name="scan/2")
    heaptui.until("scan/1", "failed")
    heaptui.until("scan/2", "done")

    found = heaptui.told("measures")
    (profile,) = found["profiles"]
    assert (profile["name"], profile["attempts"], profile["ooms"]) == ("scan", 2, 0)
    assert found["verdicts"] == {"failed": 1, "finished": 1}
    table = heaptui("measures")
    assert "SUGGESTED" in table.stdout.splitlines()[0]
    assert "scan" in table.stdout and "1 failed" in table.stderr

    text = heaptui("metrics").stdout
    assert text.endswith("# EOF\n")
    assert 'heaptui_attempts_ended_total{kind="command",verdict="failed"} 1.0' in text
    path = heaptui("metrics", "--socket").stdout.strip()
    assert path == str(heaptui.state.socket("supervisor"))

    def scraped() -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()

    assert "heaptui_attempts_ended_total" in wait_until(scraped, "the loopback port")
