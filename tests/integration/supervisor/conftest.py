from __future__ import annotations

import pytest

from tests.integration.supervisor.heaped import HeapHouse


@pytest.fixture
async def house(tmp_path):
    made = HeapHouse(tmp_path / "s")
    await made.enter()
    yield made
    await made.vanish()
