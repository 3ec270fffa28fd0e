"""Where the preloads lie while tasks run, and the environment that loads them.

They are copied out of the installed package into the state directory, under a name made of their
content: an upgrade or removal of heaptui then takes nothing away from a child that an agent starts
tomorrow. Old versions (some 50 KB each) stay, because nobody knows who still names them.

Node loads its file by `--require`. `--import data:…` with a try would forgive a file that is gone
or unreadable (another user, a container), where `--require` fails the child; but with any
`--import` Node gives the program's main script to its ESM loader: measured on 18.20, 20.20, 22.23
and 24.21, callbacks of process.nextTick and promises then run in the other order, and tracebacks
end in other frames. A monitor must not change what it watches; and before 18.18 and 19.0
`--import` itself is a bad option that fails every start, where a command's Node is not known.
Such children are started without the preload (`--no-preload`), or without NODE_OPTIONS.

No `--inspect-port=0` goes along, though it would spare SIGUSR1 the clash for port 9229: the
cluster module looks for `--inspect…` in NODE_OPTIONS and numbers its workers' ports upwards from
there, and at port 1 each of them ends with code 9.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from heaptui.errors import StorageTrouble
from heaptui.paths import private
from heaptui.runtime.node_options import option_value, own_option
from heaptui.wire import SOCKET_VARIABLE

NODE_LEAST_MAJOR = 18
"""Older ones lack what the preload uses; loaded all the same it does nothing."""

_PACKAGE = Path(__file__).parent
_NODE_FILE = "node.cjs"
_PYTHON_DIRECTORY = "python"
_KEY_LENGTH = 16
_PLACE = rf"/preload/[0-9a-f]{{{_KEY_LENGTH}}}"
_OUR_OPTION = re.compile(own_option("require", rf"{_PLACE}/node\.cjs"))
_OUR_DIRECTORY = re.compile(rf".*{_PLACE}/{_PYTHON_DIRECTORY}")


@dataclass(frozen=True, slots=True)
class Preload:
    """`node`: the file for Node.js. `python`: the directory that holds sitecustomize.py."""

    node: Path
    python: Path


def placed(state_root: Path) -> Preload:
    """The preloads of this heaptui under `<state>/preload/<hash>/`, copied or mended if need be.

    Raises:
        StorageTrouble: they cannot be written.
        Refused: the directory is somebody else's.
    """
    files = _files()
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    place = state_root / "preload" / digest.hexdigest()[:_KEY_LENGTH]
    try:
        private(state_root / "preload")
        private(place)
        private(place / _PYTHON_DIRECTORY)
        for name, content in files.items():
            private((place / name).parent)
            _put(place / name, content)
    except OSError as error:
        raise StorageTrouble(
            f"The preload cannot be written to {place}: {error.strerror or error}.",
            "Free space or mend its permissions, or run the task with --no-preload.",
        ) from error
    return Preload(place / _NODE_FILE, place / _PYTHON_DIRECTORY)


def environment(
    env: dict[str, str], preload: Preload, socket: str, *, node_version: str | None
) -> dict[str, str]:
    """`env` with what loads `preload` into Node.js and Python and names the `socket` to them.

    `node_version` as Node says it (`v20.20.2`); None: it is not known which Node will run.
    What a task around this one left in `env` is replaced, so nothing is ever loaded twice.
    """
    result = env | {SOCKET_VARIABLE: socket}
    options = _OUR_OPTION.sub("", env.get("NODE_OPTIONS", "")).strip()
    if node_version is None or _major(node_version) >= NODE_LEAST_MAJOR:
        # last: the operator's own preloads may be what makes the program's files readable
        options = f"{options} --require={option_value(preload.node)}".strip()
    _set(result, "NODE_OPTIONS", options)
    paths = env.get("PYTHONPATH", "")
    others = [path for path in paths.split(os.pathsep) if not _OUR_DIRECTORY.fullmatch(path)]
    # first: a sitecustomize of the operator's own is found and run by ours
    result["PYTHONPATH"] = os.pathsep.join([str(preload.python), *(others if paths else [])])
    return result


def _set(env: dict[str, str], name: str, value: str) -> None:
    if value:
        env[name] = value
    else:
        env.pop(name, None)


def _files() -> dict[str, bytes]:
    """Names relative to the place, in order; bytecode is made anew by whoever runs it."""
    found = sorted([*_PACKAGE.glob("*.cjs"), *(_PACKAGE / _PYTHON_DIRECTORY).rglob("*.py")])
    return {path.relative_to(_PACKAGE).as_posix(): path.read_bytes() for path in found}


def _put(path: Path, content: bytes) -> None:
    """Writes `path` 0600 unless it is so already; a process that starts now sees it whole."""
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _major(version: str) -> int:
    match = re.match(r"v?(\d+)\.", version)
    return int(match[1]) if match else 0
