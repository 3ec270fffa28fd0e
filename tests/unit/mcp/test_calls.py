"""What models send that is not quite what they were told to."""

from __future__ import annotations

from heaptui.mcp import calls
from heaptui.tools.front import Tools


async def test_one_glob_need_be_no_list(tmp_path) -> None:
    (tmp_path / "a.py").write_text("needle\n")
    (tmp_path / "a.txt").write_text("needle\n")
    with Tools.open(tmp_path, writable=False) as tools:
        for globs in ("*.py", ["*.py"]):
            told = await calls.call(tools, "grep", {"pattern": "needle", "globs": globs})
            assert (told.failed, told.text) == (False, "a.py:1:needle")
