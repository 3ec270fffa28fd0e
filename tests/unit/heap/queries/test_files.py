"""A file that this user may not read."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

NOBODY = 65534
CHECK = """
import os, sys
from pathlib import Path
from heaptui.errors import Unreadable
from heaptui.heap.analysis.files import check
# all is imported: the checkout may lie where nobody else can read
if os.geteuid() == 0:
    os.setgroups([]); os.setgid({uid}); os.setuid({uid})
try:
    check(Path(sys.argv[1]))
except Unreadable as error:
    print(error)
"""


def test_a_file_of_somebody_else_is_not_read():
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        file = Path(place) / "theirs.heapsnapshot"
        file.touch(mode=0o600)
        file.write_text("{}")
        if os.geteuid() != 0:
            file.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", CHECK.format(uid=NOBODY), str(file)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "may not be read by this user" in done.stdout
    assert "secrets" in done.stdout
