"""What the end of an attempt means for its task: done, another attempt, or no further one. Pure.

The ladder after an end for lack of memory: another attempt with a larger limit, as often as the
policy's budget of its own says, and never twice under the same one; then quarantine. An attempt
that is recycled goes on from its checkpoint, as often as work is done between. Other bad ends use
the task's retries. Whatever the reason, too many bad ends within a period are a crash loop.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from heaptui.config import Config, Policy
from heaptui.model import State, Verdict, VerdictKind
from heaptui.store.records import Recovery
from heaptui.supervisor.backoff import delay
from heaptui.supervisor.machine import Trigger
from heaptui.supervisor.policy.larger import Larger
from heaptui.units import duration, size

IDLE_RECYCLES = 2
"""So often in a row nothing may be done between two recycles: then the task is too large."""

BRIEF_S = 10.0
"""Between two recycles: in less, one that tells no progress has done nothing but start."""

DIVIDED = " What is left is divided among children."
"""Of why it is quarantined, where the policy splits it."""

_TRIES_AGAIN = "tries again "


class End(Struct, frozen=True, kw_only=True):
    """How an attempt ended, and what its task has left.

    `state` is the one before the end, `stopping` says that it was to be ended for good, `resulted`
    that its worker told a result. `ran_s` seconds, `at` the instant. `checkpointed`: a checkpoint
    stands. `done` units of work so far, None where the worker tells none. `larger` are the limits
    of another attempt, with the reason where there are none. `passing`: it was not executed for a
    reason that is not its own. `dividable`: what is left of
    it can go to children without anybody being asked.
    """

    state: State
    verdict: Verdict
    stopping: bool
    resulted: bool
    checkpointed: bool
    retry_lost: bool
    at: float
    ran_s: float
    retries_left: int
    recovery: Recovery
    larger: Larger
    done: float | None = None
    passing: bool = False
    dividable: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """`trigger` is what happens to the task, `delay_s` how long it waits first, `text` the line for
    its history; `limits` of the next attempt where they change, `used_retry` whether it costs one
    of its retries. `reason` replaces the verdict's where it says more."""

    trigger: Trigger
    recovery: Recovery
    delay_s: float = 0
    text: str = ""
    reason: str | None = None
    limits: Larger | None = None
    used_retry: bool = False


def decide(end: End, config: Config, policy: Policy) -> Decision:
    """What follows."""
    kind, recovery = end.verdict.kind, end.recovery
    recycling = end.state is State.RECYCLING and not end.stopping
    if kind is VerdictKind.FINISHED and (end.resulted or not recycling):
        return Decision(trigger=Trigger.FINISHED, recovery=recovery)
    if end.state is State.SPLITTING and not end.stopping:
        return Decision(trigger=Trigger.SPLIT, recovery=replace(recovery, split_due=False))
    if end.stopping:
        stopped = kind is VerdictKind.STOPPED
        trigger = Trigger.STOPPED if stopped else Trigger.FAILED
        if kind is VerdictKind.LOST:
            trigger = Trigger.LOST
        return Decision(trigger=trigger, recovery=recovery)
    if recycling and kind in (VerdictKind.FINISHED, VerdictKind.STOPPED):
        return _recycled(end, config, policy)
    if kind is VerdictKind.STOPPED:
        return Decision(trigger=Trigger.STOPPED, recovery=recovery)
    if kind is VerdictKind.BAD_LAUNCH and end.passing:
        # no loop of crashes, however long it takes
        streak = recovery.streak + 1
        return Decision(
            trigger=Trigger.TRY_AGAIN,
            recovery=replace(recovery, streak=streak),
            delay_s=delay(config.retry, streak),
            text="waits for what kept it from being launched to pass",
        )
    if kind is VerdictKind.BAD_LAUNCH:
        # it would fail the same way again
        return Decision(trigger=Trigger.FAILED, recovery=recovery)
    if kind.out_of_memory and policy.acts:
        return _out_of_memory(end, config, policy, end.verdict.text)
    if kind is VerdictKind.LOST:
        if not (end.checkpointed or end.retry_lost):
            return Decision(trigger=Trigger.LOST, recovery=recovery)
        from_it = " from its checkpoint" if end.checkpointed else ""
        return _again(end, config, recovery, f"goes on by itself{from_it}")
    told = ""
    if kind.out_of_memory:
        told = f"observe: the memory policy would {would(_out_of_memory(end, config, policy, ''))}"
    if end.retries_left <= 0:
        return Decision(trigger=Trigger.FAILED, recovery=recovery, text=told)
    again = _again(end, config, recovery, told)
    return replace(again, used_retry=again.trigger is Trigger.TRY_AGAIN)


def would(decision: Decision) -> str:
    """What it would have done, for a policy that only observes."""
    if decision.trigger is Trigger.TRY_AGAIN:
        return f"try it again {decision.text.removeprefix(_TRIES_AGAIN)}"
    return "quarantine it"


def _recycled(end: End, config: Config, policy: Policy) -> Decision:
    recovery = end.recovery
    # one that tells no progress is believed to have done something when it had the time
    moved = end.ran_s >= BRIEF_S if end.done is None else end.done != recovery.done_at_recycle
    idle = 0 if moved else recovery.idle_recycles + 1
    after = replace(
        recovery,
        recycles=recovery.recycles + 1,
        recycled_s=recovery.recycled_s + end.ran_s,
        idle_recycles=idle,
        done_at_recycle=end.done,
        streak=0,
    )
    if idle >= IDLE_RECYCLES:
        stuck = replace(end, recovery=replace(after, idle_recycles=0))
        return _out_of_memory(stuck, config, policy, f"was recycled {idle + 1} times at one place")
    how = "goes on from its checkpoint" if end.checkpointed else "begins anew"
    return Decision(
        trigger=Trigger.RECYCLED, recovery=after, text=f"{how} with a clean heap", reason="recycled"
    )


def _out_of_memory(end: End, config: Config, policy: Policy, why: str) -> Decision:
    recovery, larger = end.recovery, end.larger
    # a machine that was full says nothing about what the task needs
    full = end.verdict.kind is VerdictKind.HOST_OOM
    if not full:
        outgrown = max(recovery.outgrown_bytes or 0, larger.now_bytes or 0) or None
        recovery = replace(recovery, outgrown_bytes=outgrown)
    if larger.given and not full:
        # what the operator gave for the next attempt is none of the policy's budget
        after = replace(recovery, ooms=recovery.ooms + 1, given=recovery.given + 1, idle_recycles=0)
        return _again(end, config, after, _with(larger, end))
    if recovery.ooms - recovery.given >= policy.oom_retries:
        return _quarantined(end, recovery, why, _spent(end.recovery, policy))
    if full:
        # the machine was full, not the task: it waits for room, with the limits that it has
        larger = Larger(now_bytes=larger.now_bytes)
    elif larger.refused is not None:
        return _quarantined(end, recovery, why, larger.refused)
    after = replace(recovery, ooms=recovery.ooms + 1, idle_recycles=0)
    again = _again(end, config, after, _with(larger, end))
    return replace(again, limits=larger) if again.trigger is Trigger.TRY_AGAIN else again


def _again(end: End, config: Config, recovery: Recovery, text: str) -> Decision:
    policy = config.policy
    streak = 1 if end.ran_s >= policy.stable_s else recovery.streak + 1
    since = end.at - policy.restart_period_s
    bad_ends = (*(at for at in recovery.bad_ends if since < at <= end.at), end.at)
    after = replace(
        recovery, streak=streak, bad_ends=bad_ends[-policy.restarts - 1 :], recycled_s=0.0
    )
    if len(bad_ends) > policy.restarts:
        span = duration(max(1.0, end.at - bad_ends[0]))
        loop = f"crash loop: {len(bad_ends)} bad ends in {span}; the last: {end.verdict.text}"
        return Decision(trigger=Trigger.QUARANTINE, recovery=after, reason=loop, text=loop)
    wait = delay(config.retry, streak)
    return Decision(trigger=Trigger.TRY_AGAIN, recovery=after, delay_s=wait, text=text)


def _with(larger: Larger, end: End) -> str:
    text = _TRIES_AGAIN + (f"with {larger.words}" if larger.words else "once the machine has room")
    return f"{text}, from its checkpoint" if end.checkpointed else text


def _spent(recovery: Recovery, policy: Policy) -> str:
    """`recovery` as it was before this end."""
    if policy.oom_retries == 0:
        return "the policy tries no larger limit"
    times = "once" if recovery.ooms == 1 else f"{recovery.ooms} times"
    if recovery.outgrown_bytes is None:
        return f"it was tried again {times}"
    return f"a larger limit was tried {times}"


def _quarantined(end: End, recovery: Recovery, why: str, no_more: str) -> Decision:
    limit = (
        f" It needs more than {size(recovery.outgrown_bytes)}." if recovery.outgrown_bytes else ""
    )
    kept = " Its checkpoint stands: a retry goes on from there." if end.checkpointed else ""
    divided = DIVIDED if end.dividable else ""
    reason = f"{why}; {no_more}.{limit}{kept}{divided}"
    recovery = replace(recovery, split_due=end.dividable)
    return Decision(trigger=Trigger.QUARANTINE, recovery=recovery, reason=reason, text=reason)
