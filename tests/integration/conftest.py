"""What the tests with real commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.operating import Operated


@pytest.fixture
def heaptui(tmp_path: Path) -> Iterator[Operated]:
    """heaptui on a fresh state directory; nothing of it outlives the test."""
    operated = Operated(tmp_path / "state")
    try:
        yield operated
    finally:
        operated.clean_up()
