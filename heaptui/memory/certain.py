"""What a tree of processes holds beyond doubt, without a walk of page tables.

Anonymous memory comes to be in two processes by a fork alone. So none of it counts twice when of
each process only that is counted which it has beyond what it had when it was found; and all of it
where it has executed a program since it was forked, for it began with nothing then. Proof: take a
page that two of them count. One had it first, and the other, or one that it descends from, was
forked with it. Found after that fork, the other had the page when it was found; found before, it
would have had to get it otherwise. (A process that runs in its parent's memory until it executes a
program, as vfork makes one, counts what that memory grows by in the moment it takes; and pages that
the kernel merged, because a program asked for KSM, count in each.)

What the sum leaves out, files and shared memory and what was there when somebody was found, only
makes it smaller: over a cap, it is proof.
"""

from __future__ import annotations

from heaptui.memory.tree import Member, Tree


def certain(tree: Tree) -> int:
    """Bytes."""
    return sum(map(_own, tree.members.values()))


def _own(member: Member) -> int:
    inherited = 0 if member.stat.executed else member.inherited
    return 0 if inherited is None else max(0, member.probe.anonymous_now() - inherited)
