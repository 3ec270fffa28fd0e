# ruff: noqa: BLE001, PLW0603, PTH208, S110, SIM105
# mypy: ignore-errors
"""The probe and the program's forks: neither hinders the other.

A fork waits while the probe imports something (its child would find an import lock that nobody
releases). Python 3.12 and newer warn of a fork with several threads: not when the other thread is
the probe's alone. A forked child gets a probe of its own. `quietly` forks without the program's
`os.register_at_fork` functions, for a child that is none of the program's.
"""

import _thread
import gc
import os
import sys
import time

FORK_WAITS_S = 5.0

_probe = None
_renew = None
_held = False
_put_at = 0.0
_lists = {}
_main = _thread.get_ident()


def _once(what):
    kept = []

    def ask():
        if not kept:
            kept.append(what())
        return kept[0]

    return ask


def watch(probe, renew):
    """From now on. In a forked child `renew` is called."""
    global _probe, _renew
    _probe, _renew = probe, renew
    os.register_at_fork(before=before, after_in_child=in_child, after_in_parent=in_parent)
    # The interpreter's own lists of these functions: it has no other way to leave them out once.
    for when, ours in (("before", before), ("child", in_child), ("parent", in_parent)):
        found = [one for one in gc.get_referrers(ours) if type(one) is list and one[-1:] == [ours]]
        if len(found) == 1:
            _lists[when] = found[0]


def watched(probe):
    """In a forked child: the child's own probe."""
    global _probe, _main
    _probe, _main = probe, _thread.get_ident()


def main():
    """The main thread's identifier; in a forked child that of the thread that forked."""
    return _main


def unable():
    """Why no snapshot can be taken here; None when one can."""
    if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled():
        return "this Python runs without its global lock: its heap cannot be read at one instant"
    if len(_lists) != 3:
        return "this Python does not let a child be made beside the program's own"
    if _ctypes_missing():
        return "this Python was built without ctypes"
    return None


@_once
def _ctypes_missing():
    from _frozen_importlib_external import PathFinder

    return "_ctypes" not in sys.builtin_module_names and PathFinder.find_spec("_ctypes") is None


# --- the program's forks --------------------------------------------------------------------------
def before():
    global _held, _put_at
    _held = _probe.importing.acquire(True, FORK_WAITS_S)
    # the warning comes before the functions for the parent in 3.12.0 to 3.12.3, since then after
    if sys.version_info >= (3, 12) and _only_the_probe():
        tidy()
        _put_at = time.monotonic()
        _filters().insert(0, _not_for_us)


def in_parent():
    global _held
    if _held:
        _held = False
        _probe.importing.release()


def in_child():
    tidy()
    _probe.importing = _thread.allocate_lock()
    try:
        if sys._getframe(1).f_code.co_name == "_execute_child":
            return  # subprocess with a preexec_fn: another program in a moment
    except ValueError:
        pass
    try:
        _renew()
    except Exception:  # the child has no probe, and is otherwise well
        pass


# --- the warning of Python 3.12 -------------------------------------------------------------------
class _Alone:
    """Stands where a warnings filter has its expression: matches that one warning, while the probe
    is the only other thread, and is gone when it has matched."""

    def match(self, text):
        if "multi-threaded, use of fork" not in text or not _only_the_probe():
            return False
        tidy()
        return True


_not_for_us = ("ignore", _Alone(), DeprecationWarning, None, 0)


def _filters():
    loaded = sys.modules.get("warnings")
    if loaded is None:
        import _warnings as loaded
    return loaded.filters


def _only_the_probe():
    try:
        return len(os.listdir("/proc/self/task")) == 2
    except OSError:
        return _thread._count() == 1


def tidy_later():
    """`tidy` for the probe's thread: not while the fork is under way that it is there for."""
    if time.monotonic() - _put_at > 1.0:
        tidy()


def tidy():
    """Takes our filter out where the warning was not asked for (it is given once for a place)."""
    filters = _filters()
    while _not_for_us in filters:
        filters.remove(_not_for_us)


# --- our own --------------------------------------------------------------------------------------
def quietly(steps, make, in_child_only, in_parent_only):
    """Calls `steps`, then `make` (0 in the child) and what belongs to each side, all with the
    program's fork functions left out.

    No bytecode runs in between: the interpreter would let another thread run after any of it, and
    that thread's own fork would miss its functions.

    Returns whether this is the child.
    """
    from _functools import partial
    from _operator import methodcaller
    from itertools import chain

    parent = os.getpid()
    call = methodcaller("__call__")
    empty = [partial(found.clear) for found in _lists.values()]
    refill = [partial(found.extend, list(found)) for found in _lists.values()]
    # any() ends with the parent's number, which is true; all() goes on only after that
    forked = partial(any, map(call, (make, in_child_only)))
    both = partial(all, map(call, (forked, in_parent_only)))
    list(map(call, chain(empty, steps, (both,), refill)))
    return os.getpid() != parent
