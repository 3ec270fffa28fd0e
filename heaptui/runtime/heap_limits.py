"""Which heap limit a Node task gets, and the flags that say so to V8.

Three may have a say. --heap wins over a preset, a preset over NODE_OPTIONS (which a shell's profile
may have set), and whatever the operator named anywhere wins over what is derived from the cap.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, TaskSpec
from heaptui.runtime import v8
from heaptui.runtime.presets import LEAST_OLD_MB, Preset
from heaptui.units import MIB, size


class HeapChoice(Struct, frozen=True):
    """The flags to add, the limit in bytes that then holds (None: V8's own choice), and what an
    operator should know about it."""

    flags: tuple[str, ...]
    limit_bytes: int | None
    notes: tuple[str, ...] = ()


def asked_for(
    spec: TaskSpec, preset: Preset | None, *, for_size: bool = False
) -> v8.HeapFlags | None:
    """The limit that --heap or else the preset names, where V8 optimises for size or not; None
    when neither is given."""
    given = spec.limits.heap_bytes
    if given is None:
        return None if preset is None else preset.heap(for_size=for_size)
    flags = v8.flags_for(given)
    if for_size:
        return flags.with_semi(v8.SEMI_FOR_SIZE_MB)
    if preset is not None and given // MIB - 3 * preset.semi_mb >= LEAST_OLD_MB:
        # the preset's semi-space is a choice of its own
        return flags.with_semi(preset.semi_mb)
    return flags


def choose(
    spec: TaskSpec,
    preset: Preset | None,
    env: dict[str, str],
    options: list[str],
    cap_bytes: int | None,
    carries: Callable[[str], bool],
) -> HeapChoice:
    """The flags for a Node task whose command line begins with `options`; `carries` says whether
    there is a place for a flag: a program of its own cannot be given what only a command line
    takes.

    Raises:
        UsageError: the limit is named twice.
    """
    written = v8.named(options)
    theirs = v8.named(v8.words_of(env.get("NODE_OPTIONS", ""))) | written
    preset_flags = _kept_flags(preset, options)
    more = tuple(flag for flag in preset_flags if carries(flag))
    for_size = v8.for_size((*more, *options))
    wanted = asked_for(spec, preset, for_size=for_size)
    notes = [
        f"Node takes {flag} only on its command line: left out"
        for flag in preset_flags
        if flag not in more
    ]
    limit: int | None
    if wanted is not None:
        by = "--heap" if spec.limits.heap_bytes is not None else f"the preset {spec.preset}"
        if set(written) - {v8.SEMI}:
            raise UsageError(
                f"The heap limit is named twice: by {by} and by a flag of the command.",
                "Leave one of them out.",
            )
        if set(theirs) - set(written):
            notes.append(f"the heap flags in NODE_OPTIONS are overridden by {by}")
        if v8.SEMI in written and not for_size:
            wanted = wanted.with_semi(written[v8.SEMI])
        limit = wanted.limit_bytes
        if preset is not None and spec.limits.heap_bytes is None and v8.SEMI not in written:
            # its children do not optimise for size: they get the preset's semi-space
            wanted = preset.heap(for_size=False)
        flags = _spelled({v8.OLD: wanted.old_mb, v8.SEMI: wanted.semi_mb})
    elif set(theirs) & set(v8.OTHER_LIMITS):
        notes.append("the heap limit is the one that the task's own flags name")
        return HeapChoice((), None, tuple(notes))
    elif cap_bytes is None:
        return HeapChoice((), _limit_of(theirs, for_size=for_size))
    else:
        derived = v8.flags_under(cap_bytes)
        if for_size:
            derived = derived.with_semi(v8.SEMI_FOR_SIZE_MB)
        ours = {v8.OLD: derived.old_mb, v8.SEMI: derived.semi_mb}
        flags = _spelled({name: value for name, value in ours.items() if name not in theirs})
        if theirs:
            notes.append(f"the task's own {' '.join(_spelled(theirs))} is kept")
        limit = _limit_of(ours | theirs, for_size=for_size) or derived.limit_bytes
    if cap_bytes is not None and limit > cap_bytes - v8.OUTSIDE_HEAP:
        notes.append(
            f"the heap limit of {size(limit)} leaves less than {size(v8.OUTSIDE_HEAP)} below the "
            f"cap of {size(cap_bytes)}: the kill may come before V8's own error"
        )
    return HeapChoice((*flags, *more), limit, tuple(notes))


def check(spec: TaskSpec, preset: Preset | None, cap_bytes: int | None) -> None:
    """Whether what is asked for can be.

    Raises:
        UsageError: a limit of V8's for something that is not V8.
        Refused: a limit that V8 does not start with, or that the cap does not hold.
    """
    heap = spec.limits.heap_bytes
    if spec.kind is Kind.PYTHON and preset is not None:
        raise UsageError(
            f"The preset {spec.preset!r} sets V8's heap and flags: Python has neither.",
            "Use --cap, which holds for any process.",
        )
    if spec.kind is Kind.PYTHON and heap is not None:
        raise UsageError(
            "A heap limit is V8's: Python has none.", "Use --cap, which holds for any process."
        )
    if heap is not None and heap < v8.LEAST_LIMIT:
        raise Refused(
            f"A heap of {size(heap)} is less than V8 starts with.",
            f"Give at least --heap {size(v8.LEAST_LIMIT)}.",
        )
    default = "" if spec.limits.cap_bytes else "default "
    if heap is not None and cap_bytes is not None and heap > cap_bytes:
        raise Refused(
            f"A heap of {size(heap)} does not fit under the {default}cap of {size(cap_bytes)}.",
            f"Give --cap of at least {size(heap + v8.OUTSIDE_HEAP)}, or a smaller --heap.",
        )
    if heap is None and preset is not None and cap_bytes is not None:
        need = preset.cap_bytes
        if need > cap_bytes:
            raise Refused(
                f"The preset {spec.preset} does not fit under the {default}cap of "
                f"{size(cap_bytes)}: {preset.arithmetic()}.",
                f"Give --cap of at least {size(need)}, a smaller --heap beside the preset, or "
                "another preset.",
            )


def cap_for(spec: TaskSpec, preset: Preset, default_bytes: int, machine_bytes: int) -> int | None:
    """The cap of a task that names a preset and no cap, where the default one does not hold it;
    None: the default will do.

    Raises:
        Refused: the machine does not have so much.
    """
    if spec.limits.heap_bytes is not None or preset.cap_bytes <= default_bytes:
        return None
    if preset.cap_bytes > machine_bytes:
        raise Refused(
            f"The preset {spec.preset} takes more than this machine has: {preset.arithmetic()}, "
            f"of {size(machine_bytes)}.",
            "Choose a smaller preset (`heaptui presets`), or give --heap beside it.",
        )
    return preset.cap_bytes


def _kept_flags(preset: Preset | None, options: list[str]) -> tuple[str, ...]:
    """A preset's flags but those that the command itself has, one way or the other."""
    said = {v8.flag_name(option).removeprefix("no-") for option in options}
    flags = preset.flags if preset is not None else ()
    return tuple(flag for flag in flags if v8.flag_name(flag).removeprefix("no-") not in said)


def _spelled(flags: dict[str, int]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]


def _limit_of(flags: dict[str, int], *, for_size: bool) -> int | None:
    semi_mb = v8.SEMI_FOR_SIZE_MB if for_size else flags.get(v8.SEMI)
    if v8.OLD not in flags or semi_mb is None:
        return None
    return v8.HeapFlags(flags[v8.OLD], semi_mb).limit_bytes
