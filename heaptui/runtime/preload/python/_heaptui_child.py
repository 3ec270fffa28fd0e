# ruff: noqa: BLE001, F821, PTH104, PTH108, PTH123, PTH208, SIM105
# mypy: ignore-errors
"""The child of a program that writes its snapshot, and what it needs to know from the program.

The child is nothing else: it holds nothing of the program's open, gives way to it at the processor,
is the kernel's first choice where memory runs out, and ends without running anything at its exit.
"""

import gc
import os
import sys

objects = part("objects")
sections = part("sections")


class Failure(Exception):
    """A code and a text for the operator."""


# --- in the program -------------------------------------------------------------------------------
def standing():
    """The threads' frames, but for this thread's: they can only be had in the program itself."""
    own = sys._getframe()
    found = []
    for ident, top in sys._current_frames().items():
        frame, stack = top, []
        while frame is not None and frame is not own and len(stack) < 2000:
            stack.append(objects["variables"](frame) if sys.version_info >= (3, 13) else frame)
            frame = frame.f_back
        if frame is not own:
            found.append((ident, stack))
    return found


# --- in the child ---------------------------------------------------------------------------------
def child(path, word, frames):
    """Writes the file, tells `word` (a descriptor) how it went, and ends the process."""
    status = 1
    try:
        gc.disable()
        gc.unfreeze()
        sys.setswitchinterval(1000.0)
        _alone(word)
        _tell(word, f"pid {os.getpid()}")
        size = _write(path, word, frames)
        _tell(word, f"done {size}")
        status = 0
    except Failure as failure:
        _tell(word, "failed {} {}".format(*failure.args))
    except MemoryError:
        _tell(word, "failed error there was no memory for the snapshot")
    except OSError as error:
        _tell(word, f"failed disk {error.strerror}")
    except BaseException as error:
        _tell(word, f"failed error {type(error).__name__}: {str(error)[:200]}")
    finally:
        os._exit(status)


def _tell(word, text):
    os.write(word, text.replace("\n", " ").encode("utf-8", "replace") + b"\n")


def _alone(word):
    """Holds nothing of the program's open, and gives way to it."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    try:
        opened = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        opened = range(3, 1024)
    for descriptor in opened:
        if descriptor > 2 and descriptor != word:
            try:
                os.close(descriptor)
            except OSError:
                pass
    try:
        os.nice(10)
        with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"1000")
    except OSError:
        pass


def _write(path, word, frames):
    part = path + ".part"
    try:
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Failure("exists", part + " is there already") from None
    try:
        _tell(word, "part")
        os.fchmod(file, 0o600)
        held = sections["Sections"](file)
        dump = objects["Dump"](held, sections["NODE"], lambda share: _tell(word, f"at {share:.3f}"))
        dump.everything(frames)
        size = held.finish()
        os.close(file)
        try:
            os.link(part, path)
        except FileExistsError:
            raise Failure("exists", path + " is there already") from None
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise Failure("exists", path + " is there already") from None
            os.rename(part, path)
            return size
        os.unlink(part)
        return size
    except BaseException:
        try:
            os.unlink(part)
        except OSError:
            pass
        raise
