"""Who may start: never above what there is, nobody for ever, and always somebody."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from heaptui.config import AdmissionConfig, Config, LimitsConfig
from heaptui.config.policy import PolicyConfig
from heaptui.model import HostSample, Limits, State, VerdictKind
from heaptui.runtime.caps import share_of_host
from heaptui.supervisor.admission import PASSED_MOST, Admission, Standing, waits_for
from heaptui.supervisor.dispatching import LOOKED_AT
from heaptui.supervisor.expected import name_of
from heaptui.supervisor.queue import Queue
from heaptui.supervisor.task import Task
from tests.unit.supervisor.tasks import GIB, MIB, sample, spec, task

TOTAL = 16 * GIB


class Blank:
    """A store in which nothing has ended yet."""

    async def peaks(self, kind, name, n=20):
        return []


def admission(mode: str = "act", share: float = 0.8, **fields) -> Admission:
    config = Config(
        admission=AdmissionConfig(**fields),
        policy=PolicyConfig(mode=mode),
        limits=LimitsConfig(share=share),
    )
    return Admission(config, Blank())


def host(available: int, at: float = 100.0, **fields) -> HostSample:
    return HostSample(
        at=at, name="h", mem_total_bytes=TOTAL, mem_available_bytes=available, **fields
    )


def job(task_id: str, cap: int, priority: int = 0, order: int = 1, **fields) -> Task:
    made = task(task_id, order=order, cap_bytes=cap, **fields)
    made.spec = spec(task_id, priority=priority)
    return made


def survey(judge: Admission, seen: HostSample | None, live: int, places: int = 100) -> None:
    judge.survey(live=live, places=places, total_bytes=TOTAL, host=seen)


def start(judge: Admission, one: Task, at: float = 50.0) -> Task:
    judge.reckons(one)
    one.state, one.attempts, one.admitted_at = State.STARTING, one.attempts + 1, at
    judge.admitted(one)
    return one


def end(one: Task, at: float, peak: int, verdict: VerdictKind = VerdictKind.FINISHED) -> None:
    one.state, one.ended_at, one.attempt_peak, one.verdict = State.DONE, at, peak, verdict
    one.sample = None


# --- one judgement
@given(
    expected=st.integers(0, 64 * GIB),
    running=st.integers(0, 5),
    free=st.integers(-8 * GIB, 64 * GIB),
    pledged=st.integers(0, 64 * GIB),
    budget=st.none() | st.integers(1, 64 * GIB),
    pressure=st.none() | st.floats(0, 100),
)
def test_what_may_start_fits_or_is_alone(expected, running, free, pledged, budget, pressure):
    config = AdmissionConfig()
    standing = Standing(running, free, pledged, budget, pressure)
    why = waits_for(expected, standing, config)
    if why is not None:
        assert why.startswith("waits")
        assert running or (pressure or 0) > config.heavy
        return
    assert pressure is None or pressure <= config.heavy
    if running:
        assert expected <= free
        assert budget is None or pledged + expected <= budget
        assert pressure is None or pressure <= config.pressure


def test_the_figures_are_in_the_reason():
    config = AdmissionConfig()
    short = Standing(2, 800 * MIB, 0, None, None)
    assert waits_for(1200 * MIB, short, config) == (
        "waits for 1.17G of memory: 800M free beside the reserve and what running tasks may "
        "still take"
    )
    taken = Standing(2, -GIB, 0, None, 3.0)
    assert "0B free" in str(waits_for(1, taken, config))
    spent = Standing(8, 99 * GIB, 3900 * MIB, 4 * GIB, None)
    assert waits_for(500 * MIB, spent, config) == (
        "waits for 500M of the budget: 196M of 4.00G is left beside what running tasks "
        "are expected to reach"
    )
    assert waits_for(1, Standing(1, GIB, 0, None, 23.4), config) == (
        "waits: this machine stalls for memory (PSI 23 %)"
    )
    assert waits_for(1, Standing(0, GIB, 0, None, 45.0), config) == (
        "waits: this machine stalls heavily for memory (PSI 45 %)"
    )


def test_a_task_larger_than_the_budget_runs_alone():
    judge = admission(budget="1G")
    survey(judge, host(8 * GIB), 0)
    assert judge.judge(job("big", 2 * GIB)) is None
    start(judge, job("small", 100 * MIB))
    assert judge.judge(job("big", 2 * GIB)) is not None


# --- what running tasks may still take
def test_a_burst_finds_the_machine_as_it_will_be():
    judge = admission(reserve="1G")
    survey(judge, host(5 * GIB), 0)
    begun = 0
    while judge.judge(job(f"t{begun}", GIB)) is None:
        start(judge, job(f"t{begun}", GIB))
        begun += 1
    assert begun == 4


def test_what_a_task_holds_already_is_not_promised_twice():
    judge = admission(reserve="1G")
    survey(judge, host(5 * GIB), 0)
    first = start(judge, job("a", 2 * GIB))
    assert judge.standing().free == 2 * GIB
    first.sample = sample("a", memory=3 * GIB // 2)
    survey(judge, host(5 * GIB - 3 * GIB // 2, at=101.0), 1)
    assert judge.standing().free == 2 * GIB
    assert judge.standing().pledged == 2 * GIB
    first.sample = sample("a", memory=3 * GIB)
    survey(judge, host(2 * GIB, at=102.0), 1)
    assert judge.standing().free == GIB
    assert judge.standing().pledged == 3 * GIB


def test_what_ended_since_the_sample_is_free_at_once():
    judge = admission(reserve="1G")
    one = start(judge, job("a", 2 * GIB))
    one.sample = sample("a", memory=2 * GIB)
    seen = host(2 * GIB, at=100.0)
    survey(judge, seen, 1)
    assert judge.standing().free == GIB
    end(one, at=100.5, peak=2 * GIB)
    survey(judge, seen, 0)
    assert judge.standing().free == 3 * GIB
    survey(judge, host(4 * GIB, at=101.0), 0)
    assert judge.standing().free == 3 * GIB


def test_what_the_sample_saw_as_free_is_not_given_back_again():
    judge = admission(reserve="1G")
    one = start(judge, job("a", 2 * GIB))
    one.sample = sample("a", memory=2 * GIB)
    survey(judge, host(2 * GIB, at=100.0), 1)
    end(one, at=100.9, peak=2 * GIB)
    survey(judge, host(4 * GIB, at=101.0), 0)
    assert judge.standing().free == 3 * GIB


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_jumps_gives_back_nothing_for_longer_than_a_second(jump):
    judge = admission(reserve="1G")
    one = start(judge, job("a", 2 * GIB))
    one.sample = sample("a", memory=2 * GIB)
    seen = host(2 * GIB, at=10_000.0)
    survey(judge, seen, 1)
    end(one, at=10_000.5 + jump, peak=2 * GIB)
    survey(judge, seen, 0)
    survey(judge, host(4 * GIB, at=10_001.0), 0)
    assert judge.standing().free == 3 * GIB


def test_before_the_first_sample_the_machines_size_counts():
    judge = admission(reserve="25%")
    survey(judge, None, 0)
    assert judge.standing().free == 12 * GIB
    start(judge, job("a", 8 * GIB))
    assert judge.judge(job("b", 8 * GIB)) is not None
    assert judge.judge(job("c", 4 * GIB)) is None


def test_pressure_that_is_not_measured_is_calm():
    judge = admission()
    start(judge, job("a", GIB))
    survey(judge, host(8 * GIB, pressure=None), 1)
    assert judge.judge(job("b", GIB)) is None
    survey(judge, host(8 * GIB, at=101.0, pressure=10.5), 1)
    assert "PSI" in str(judge.judge(job("b", GIB)))


@pytest.mark.parametrize("places", [2, 4, 16, 60, 200, 1000])
def test_default_caps_fill_all_places_of_an_idle_machine(places):
    judge = admission()
    survey(judge, host(int(TOTAL * 0.95)), 0, places)
    for n in range(places):
        one = job(f"t{n}", share_of_host(TOTAL, places), cap_source="share")
        assert judge.judge(one) is None, f"place {n} of {places}"
        start(judge, one)


async def test_a_name_that_showed_what_it_needs_frees_what_was_promised_to_it():
    judge = admission(reserve="1G")
    survey(judge, host(5 * GIB), 0)
    running = [start(judge, job(f"n/{n}", GIB)) for n in range(4)]
    assert judge.judge(job("n/9", GIB)) is not None
    name = name_of(running[0])
    assert judge.expected.unread(name)
    await judge.expected.learn(name)
    judge.learned(name)
    assert judge.standing().pledged == 4 * GIB
    for one in running[:3]:
        end(one, at=100.5, peak=100 * MIB)
    survey(judge, host(5 * GIB, at=101.0), 1)
    assert running[3].expected_bytes == 100 * MIB
    assert judge.judge(job("n/9", GIB)) is None
    assert judge.standing().pledged == 100 * MIB


# --- a queue seen through
@dataclass
class Play:
    """A machine that runs what is admitted; a task takes its peak a while after it began."""

    judge: Admission
    outside: int
    places: int
    queue: Queue = field(default_factory=Queue)
    tasks: dict[str, Task] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    live: list[Task] = field(default_factory=list)
    now: float = 100.0
    seen: HostSample | None = None
    passed: dict[str, int] = field(default_factory=dict)
    highest: int = 0

    def submit(self, one: Task, peak: int) -> None:
        self.tasks[one.id], self.peaks[one.id] = one, peak
        self.queue.put(one)

    def round(self) -> None:
        """As the dispatcher does it."""
        survey(self.judge, self.seen, len(self.live), self.places)
        while len(self.live) < self.places:
            one = self.queue.take(self.tasks.get)
            if one is None:
                break
            why = self.judge.judge(one)
            if why is not None:
                self.queue.put(one)
                self.judge.hold(one, why)
                for other in self.queue.first(self.tasks.get, LOOKED_AT)[1:]:
                    if len(self.live) < self.places and self.judge.may_pass(other):
                        self.passed[one.id] = self.passed.get(one.id, 0) + 1
                        self.begin(other)
                return
            self.begin(one)
        self.judge.release()

    def begin(self, one: Task) -> None:
        one.state, one.attempts = State.STARTING, one.attempts + 1
        self.judge.admitted(one)
        self.live.append(one)

    def sample(self) -> None:
        self.now += 1
        for one in self.live:
            one.state = State.RUNNING
            one.sample = sample(one.id, memory=self.peaks[one.id])
        held = sum(self.peaks[one.id] for one in self.live)
        self.highest = max(self.highest, held)
        self.seen = host(TOTAL - self.outside - held, at=self.now)

    def end(self, index: int) -> None:
        one = self.live.pop(index % len(self.live))
        end(one, self.now + 0.5, self.peaks[one.id])


SIZES = st.integers(1, 40).map(lambda n: n * 100 * MIB)


STEPS = ("arrive", "sample", "end")


@settings(max_examples=150, deadline=None)
@given(
    jobs=st.lists(st.tuples(SIZES, st.floats(0.01, 1), st.integers(0, 2)), min_size=1, max_size=30),
    budget=st.none() | st.sampled_from(["1G", "4G", "8G"]),
    outside=st.integers(0, 14).map(lambda n: n * GIB),
    places=st.integers(1, 12),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11)), max_size=60),
)
def test_never_above_what_there_is_nobody_for_ever_and_all_end(
    jobs, budget, outside, places, steps
):
    """Whatever arrives and ends when: peaks stay within the budget and the machine together unless
    one task runs alone, nobody is passed for ever, and everything comes to its end."""
    play = Play(admission(budget=budget, reserve="1G"), outside, places)
    coming = [
        (job(f"t{n}", cap, priority, order=n), int(cap * share))
        for n, (cap, share, priority) in enumerate(jobs)
    ]
    play.sample()
    limit = TOTAL - outside - GIB
    if play.judge.config.budget_bytes is not None:
        limit = min(limit, play.judge.config.budget_bytes)
    # what was drawn, and then each in turn until nothing is left: at most so often as there are
    # jobs something has to arrive, and to end
    rest = zip(itertools.cycle(STEPS), itertools.repeat(0, 3 * (2 * len(jobs) + 1)))
    for step, which in itertools.chain(steps, rest):
        match step:
            case "arrive" if coming:
                play.submit(*coming.pop(0))
            case "end" if play.live:
                play.end(which)
            case _:
                play.sample()
        play.round()
        if len(play.live) > 1:
            assert sum(one.expected_bytes or 0 for one in play.live) <= limit
        waiting = any(one.state is State.QUEUED for one in play.tasks.values())
        assert play.live or not waiting, "nothing runs though somebody waits"
    assert all(one.state is State.DONE for one in play.tasks.values())
    assert len(play.tasks) == len(jobs)
    assert all(count <= PASSED_MOST for count in play.passed.values())


def test_a_large_task_is_passed_a_few_times_and_then_it_is_its_turn():
    play = Play(admission(reserve="1G"), outside=TOTAL - 5 * GIB, places=100)
    play.submit(job("first", GIB, order=0), GIB)
    play.submit(job("large", 4 * GIB, order=1), GIB)
    for n in range(2, 60):
        play.submit(job(f"s{n}", 100 * MIB, order=n), MIB)
    play.sample()
    play.round()
    while play.tasks["large"].state is State.QUEUED:
        play.sample()
        play.end(len(play.live) - 1)
        play.round()
    assert play.passed == {"large": PASSED_MOST}
    behind = [one for one in play.tasks.values() if one.state is State.QUEUED]
    assert len(behind) == 58 - PASSED_MOST


def test_how_often_it_was_passed_counts_on_while_there_is_no_place():
    judge = admission(reserve="1G")
    survey(judge, host(2 * GIB), 0)
    start(judge, job("a", GIB // 2))
    large = job("large", 4 * GIB)
    assert judge.hold(large, "waits")
    for n in range(PASSED_MOST):
        assert judge.may_pass(job(f"s{n}", MIB))
        judge.release()
        assert judge.held is None
        assert not judge.hold(large, "waits")
    assert not judge.may_pass(job("s", MIB))
    large.attempts += 1
    assert judge.hold(large, "waits"), "another wait of the same task"
    assert judge.may_pass(job("s", MIB))


def test_limits_raised_for_the_next_attempt_are_what_is_reckoned_with():
    judge = admission()
    survey(judge, host(8 * GIB), 0)
    one = job("a", GIB)
    one.spec = spec("a")
    assert judge.reckons(one) == GIB
    one.spec = replace(one.spec, limits=Limits(cap_bytes=3 * GIB))
    assert judge.reckons(one) == 3 * GIB
