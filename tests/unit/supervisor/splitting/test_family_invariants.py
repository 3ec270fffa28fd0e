"""Families of any shape, with ends, stops, retries and kills of the supervisor at any moment."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from heaptui.errors import Refused
from heaptui.model import State
from heaptui.supervisor import operations
from heaptui.supervisor.machine import Trigger, may
from heaptui.supervisor.splitting import families
from heaptui.supervisor.splitting.kinship import bad, over
from heaptui.supervisor.task import Task
from tests.unit.supervisor.splitting.home import Home

WORST = (State.DONE, State.STOPPED, State.FAILED, State.LOST, State.QUARANTINED)
ENDS = (Trigger.FINISHED, Trigger.FAILED, Trigger.LOST, Trigger.QUARANTINE)
WAITING = (State.QUEUED, State.BACKOFF)


class Families(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.home = Home(Path(self.place.name))

    @initialize()
    def submit(self) -> None:
        self.runner.run(self.home.submit("a"))
        self.runner.run(self.home.submit("b"))

    def pick(self, data: st.DataObject, fits) -> Task | None:
        ids = {*self.home.store.tasks, *self.home.ledger.tasks}
        found = sorted(task_id for task_id in ids if fits(self.home.task(task_id)))
        return self.home.task(data.draw(st.sampled_from(found))) if found else None

    # --- what may happen
    @rule(data=st.data(), reduces=st.booleans(), count=st.integers(0, 4))
    def divide(self, data, reduces, count):
        def fits(task):
            held = self.home.ledger.get(task.id)
            return (
                held is not None
                and not task.kin.children
                and task.kin.depth < 2
                and may(task.state, Trigger.SPLIT)
                and self.home.ledger.waits_for(task) is None
            )

        task = self.pick(data, fits)
        if task is None:
            return
        # in any order, and without a circle
        places = data.draw(st.permutations(range(count)))
        after: list[set[int]] = [set() for _ in range(count)]
        for number, place in enumerate(places):
            if number:
                after[place] = data.draw(st.sets(st.sampled_from(places[:number]), max_size=2))
        if reduces and count:
            after.append(set(range(count)))
        self.runner.run(self.home.divide(task, after, reduces=reduces and count > 0))

    @rule()
    def dispatch(self):
        task = self.home.dispatched()
        if task is not None:
            before = [self.home.task(task_id) for task_id in task.kin.after]
            assert all(one.state is State.DONE for one in before)

    @rule(data=st.data(), trigger=st.sampled_from(ENDS), split_due=st.booleans())
    def end(self, data, trigger, split_due):
        task = self.pick(data, lambda task: task.state.live)
        if task is not None:
            if task.state is State.STOPPING:
                trigger = Trigger.STOPPED
            self.home.end(task, trigger, split_due=split_due and trigger is Trigger.QUARANTINE)

    @rule(data=st.data())
    def give_up_the_policys_split(self, data):
        task = self.pick(data, lambda task: task.recovery.split_due)
        if task is not None and self.home.ledger.get(task.id):
            families.spare(self.home, task, "it cannot be divided")

    @rule(data=st.data(), drain=st.booleans())
    def stop(self, data, drain):
        task = self.pick(data, lambda task: not task.state.ended)
        if task is not None:
            self.runner.run(self.home.stopped(task.id, drain=drain))

    @rule(data=st.data())
    def retry(self, data):
        task = self.pick(data, lambda task: task.state.ended)
        if task is None:
            return
        was_done = task.state is State.DONE and (task.parent or task.kin.children)
        try:
            (state,) = self.runner.run(self.home.retried(task.id))
        except Refused as refused:
            assert "builds on" in refused.what
        else:
            assert state is State.DONE if was_done else not state.ended

    @rule(data=st.data())
    def forget(self, data):
        task = self.pick(data, lambda task: task.state.ended)
        if task is None:
            return
        try:
            self.runner.run(operations.forget(self.home, [task.id]))
        except Refused:
            assert task.parent in self.home.store.tasks
        else:
            assert not any(one.startswith(task.id) for one in self.home.store.tasks)
            assert not any(one.startswith(task.id) for one in self.home.ledger.tasks)

    @rule()
    def commit(self):
        self.runner.run(self.home.ledger.commit())

    @rule()
    def rest(self):
        if self.home.begun:
            self.runner.run(self.home.rest())

    @rule()
    def kill_the_supervisor(self):
        self.home = self.home.vanish()
        self.runner.run(self.home.take_over())

    # --- what holds
    def children(self, task: Task) -> list[Task]:
        ids = {*self.home.store.tasks, *self.home.ledger.tasks}
        return [one for one in map(self.home.task, ids) if one.parent == task.id]

    @invariant()
    def a_parent_has_ended_only_when_its_children_have_with_the_worst_of_them(self):
        for task in self.home.ledger.tasks.values():
            children = self.children(task)
            if task.state.ended and children:
                assert all(child.state.ended for child in children)
                assert task.state is max((one.state for one in children), key=WORST.index)
            if task.state is State.SPLIT:
                assert {child.id for child in task.children} == {child.id for child in children}
                assert all(self.home.ledger.get(child.id) is child for child in task.children)

    @invariant()
    def nobody_waits_for_what_will_not_be(self):
        for task in self.home.ledger.tasks.values():
            if task.state in WAITING:
                assert not any(bad(self.home.task(task_id)) for task_id in task.kin.after)

    def teardown(self):
        """Whatever happened, everything comes to an end, and that is stored."""
        self.rest()
        for _ in range(200):
            if all(map(over, self.home.ledger.tasks.values())):
                break
            if (task := self.home.dispatched()) is not None:
                self.home.end(task, Trigger.FINISHED)
            for task in tuple(self.home.ledger.tasks.values()):
                if task.state.live:
                    stopping = task.state is State.STOPPING
                    self.home.end(task, Trigger.STOPPED if stopping else Trigger.FAILED)
                families.spare(self.home, task, "it is too late")
            self.rest()
        self.commit()
        for task in self.home.ledger.tasks.values():
            assert over(task), f"{task.id} is {task.state}"
            assert self.home.store.tasks[task.id].state is task.state
        self.a_parent_has_ended_only_when_its_children_have_with_the_worst_of_them()
        self.runner.close()
        self.place.cleanup()


Families.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestFamilies = Families.TestCase
