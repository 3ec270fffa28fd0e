"""One real supervisor for each file of tests, with short times, and a stage for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from heaptui.cli.starting import ensure_served
from heaptui.client import Client
from tests.integration.operating import Operated, wait_until
from tests.integration.split.stage import Stage

CONFIG = """\
[queue]
concurrency = 50
[policy]
drain = "0.6s"
restarts = 1
[retry]
backoff = "0.05s"
[split]
planner_timeout = "1s"
"""


@pytest.fixture(scope="module")
def supervised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    operated = Operated(tmp_path_factory.mktemp("split") / "state")
    operated.config.write_text(CONFIG)
    operated.state.prepare()
    # by name: it is found by its command line when it is ended
    argv = ("--state", str(operated.root), "serve")
    with operated.start(*argv, stdout=None, stderr=None) as process:
        try:
            wait_until(lambda: operated.state.socket("supervisor").exists(), "the supervisor")
            yield operated
        finally:
            operated.clean_up()
            process.wait(10)


@pytest.fixture
async def stage(supervised: Operated, tmp_path: Path) -> AsyncIterator[Stage]:
    def revive() -> None:
        ensure_served(supervised.state, supervised.config)

    async with Client(supervised.state, "test", 20, revive) as operator:
        yield Stage(operator, tmp_path)
        rows = [row.id for row in await operator.tasks()]
        if rows:
            await operator.stop(rows, now=True)
            await operator.settled(rows)
