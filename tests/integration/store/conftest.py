"""Real SQLite files under tmp_path."""

from __future__ import annotations

from typing import Any

import pytest

from heaptui.model import AttemptRecord, Kind, State, TaskSpec
from heaptui.store.records import StoredTask
from heaptui.store.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "heaptui.db"


@pytest.fixture
async def store(path):
    opened = await Store.open(path, "super-1")
    yield opened
    await opened.close()


@pytest.fixture
def task():
    def build(task_id: str, **fields: Any) -> StoredTask:
        spec = TaskSpec(argv=("true",), cwd="/", name=fields.pop("name", task_id))
        given: dict[str, Any] = {"state": State.QUEUED, "created_at": 1000.0, **fields}
        return StoredTask(id=task_id, spec=spec, **given)

    return build


@pytest.fixture
def attempt():
    def build(task_id: str, number: int = 1, **fields: Any) -> AttemptRecord:
        given: dict[str, Any] = {
            "id": 0,
            "name": task_id,
            "kind": Kind.COMMAND,
            "status": "running",
            "created_at": 1000.0,
            **fields,
        }
        return AttemptRecord(task_id=task_id, attempt=number, **given)

    return build
