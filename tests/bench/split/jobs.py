"""Files to work through, the workers that do so, and the ledger by which every file is counted.

A worker appends a line to the ledger when it has processed a file, and only then reports the file
as done: what stands in the ledger twice was done twice, what is not there was left out.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from msgspec.structs import replace

from heaptui.client import Client
from heaptui.inputs import Inputs
from heaptui.model import Row as TaskRow
from heaptui.model import State, TaskSpec
from heaptui.splitting import listed
from tests.bench.harness import spec

FILES = 200
PAUSE_S = 0.01
"""What one file takes at least."""

BYTES = (100, 4000)
"""Of one file."""

WITHIN_S = 60.0
_LOOK_EVERY_S = 0.002
_PROGRAMS = Path(__file__).with_name("programs")
_ENVIRONMENT = {"PATH": os.environ["PATH"]}


class By(StrEnum):
    """Who works."""

    SHELL = "shell"
    PYTHON = "python"


@dataclass(frozen=True, slots=True)
class Job:
    """One task with its files; nothing of it has been done yet."""

    spec: TaskSpec
    inputs: Inputs
    ledger: Path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.inputs.items)

    def lines(self) -> int:
        """How many files have been processed by now; every name has one length."""
        try:
            size = self.ledger.stat().st_size
        except FileNotFoundError:
            return 0
        return size // (len(self.names[0]) + 1)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often the files were processed: `strange` are lines that name no file of the job."""

    files: int
    twice: int
    never: int
    strange: int

    @property
    def right(self) -> bool:
        return not (self.twice or self.never or self.strange)

    def __str__(self) -> str:
        return f"{self.twice} twice, {self.never} never, {self.strange} strange"


def lay_out(root: Path, name: str, by: By, chance: random.Random, *, files: int = FILES) -> Job:
    """Writes the files, of various sizes, into a directory of their own below `root`; each is one
    line, so that none is divided by its lines."""
    place = root / name
    place.mkdir(parents=True)
    width = len(str(files - 1))
    names = [f"{number:0{width}}.txt" for number in range(files)]
    for one in names:
        (place / one).write_text((one * BYTES[1])[: chance.randint(*BYTES)])
    ledger = root / f"{name}.ledger"
    common = (str(ledger), str(PAUSE_S))
    argv: tuple[str, ...] = ("sh", str(_PROGRAMS / "through.sh"), *common, "{items}")
    if by is By.PYTHON:
        argv = (sys.executable, str(_PROGRAMS / "through.py"), *common)
    task = replace(spec(*argv, name=name, cap=96 << 20), cwd=str(place))
    return Job(spec=task, inputs=listed.files(["*.txt"], place), ledger=ledger)


def tally(job: Job) -> Tally:
    """Of what stands in the ledger now."""
    processed = Counter(job.ledger.read_text().split("\n")[:-1] if job.ledger.exists() else ())
    names = job.names
    return Tally(
        files=len(names),
        twice=sum(processed[name] > 1 for name in names),
        never=sum(processed[name] == 0 for name in names),
        strange=len(processed.keys() - set(names)),
    )


async def submitted(client: Client, job: Job) -> str:
    """Its id."""
    (task_id,) = await client.submit([job.spec], _ENVIRONMENT, [job.inputs])
    return task_id


async def running(client: Client, task_id: str) -> TaskRow:
    """Its row, once it runs or has ended already."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            (row,) = await client.tasks(ids=[task_id])
            if row.state is State.RUNNING or row.state.ended:
                return row
            await asyncio.sleep(_LOOK_EVERY_S)


async def processed(job: Job, files: int) -> None:
    """Returns when the worker has processed so many."""
    until = time.monotonic() + WITHIN_S
    while job.lines() < files:
        if time.monotonic() > until:
            raise TimeoutError(f"{job.lines()} of {files} files of {job.spec.name} processed")
        await asyncio.sleep(_LOOK_EVERY_S)
