"""`heaptui result`: what a worker handed in, as an operator gets it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.integration.operating import HEAPTUI, said

WORKER = (
    "import os\nfrom heaptui import worker\nw = worker.connect()\n"
    "w.result_file('given')\nw.close()\n"
)


def test_a_result_is_waited_for_and_comes_out_byte_by_byte(heaptui, tmp_path: Path) -> None:
    given = b"a \x1b[31mred\x1b[0m line\n\x00\xff"
    (tmp_path / "given").write_bytes(given)
    none = heaptui.run("true", name="nothing")
    heaptui.until("nothing", "done")
    said(heaptui("result", "nothing"), 3, "has handed in no result", "$HEAPTUI_RESULT")
    said(heaptui("result", "nobody"), 3, "No task fits")
    said(heaptui("result", none, "--wait"), 3, "no result")

    task_id = heaptui.run(sys.executable, "-c", WORKER, name="one", cwd=str(tmp_path))
    process = heaptui.start("result", "one", "--wait")
    out, words = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, given), words
    path = heaptui("result", "one", "--path").stdout.strip()
    assert Path(path) == heaptui.state.result(task_id)
    told = heaptui.told("result", task_id)
    assert (told["task_id"], told["attempt"], told["bytes"]) == (task_id, 1, len(given))
    assert told["path"] == path
    assert heaptui.rows()["one"]["result_bytes"] == len(given)

    # on a terminal nothing of it is obeyed
    ours, theirs = pty.openpty()
    shown = subprocess.Popen([*HEAPTUI, "result", "one"], stdout=theirs, env=heaptui.environment)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # the terminal's other end is closed
        pass
    os.close(ours)
    assert shown.wait(timeout=60) == 0
    assert b"red" in seen
    assert b"\x1b" not in seen
