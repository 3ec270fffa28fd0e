"""Named sets of V8 limits and flags: data, one TOML file each.

Shipped ones lie beside this module; an operator's own in the directory `presets` beside
config.toml, under the name of the file, and win over a shipped one of the same name::

    about = "what it is for"
    old = "1G"                        # --max-old-space-size
    semi = "16M"                      # --max-semi-space-size
    flags = ["--optimize-for-size"]   # more of V8's, put where Node takes them
    measured = ["what it was measured to do"]

The real limit of a heap is old + 3 x semi, and that is what is shown everywhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec import Struct

from heaptui.config import parse_toml, unknown_key
from heaptui.errors import StorageTrouble, UsageError
from heaptui.paths import config_file
from heaptui.runtime import v8
from heaptui.units import MIB, parse_size, size

SHIPPED = Path(__file__).with_name("presets")
NO_EFFECT = {
    "gc-interval": "--gc_interval has no effect in release builds of Node: its default is -1, and "
    "at 1, 10 and 100 the number of collections did not change. heaptui does not set it.",
}
"""Flags that are passed on as a cure and are none, by name, with what was measured."""

LEAST_OLD_MB = 16
_KEYS = ("about", "flags", "measured", "old", "semi")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FLAG = re.compile(r"--[a-zA-Z][\w-]*(=[\w.,:/+-]*)?")
_FILE_MAX = 64 << 10


class Preset(Struct, frozen=True, kw_only=True):
    """`old_mb` and `semi_mb` in MiB as V8 takes them. `flags` besides, as on a command line.
    `measured`: sentences. `source`: the file, for an operator's own."""

    name: str
    about: str
    old_mb: int
    semi_mb: int
    flags: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    source: str | None = None

    def heap(self, *, for_size: bool) -> v8.HeapFlags:
        """With V8 optimising for size or not, which is not everywhere the preset's to say."""
        return v8.HeapFlags(self.old_mb, v8.SEMI_FOR_SIZE_MB if for_size else self.semi_mb)

    @property
    def semi_in_force_mb(self) -> int:
        """The semi-space where all its flags are in force."""
        return self.heap(for_size=v8.for_size(self.flags)).semi_mb

    @property
    def limit_bytes(self) -> int:
        """The real limit of the heap where all its flags are in force."""
        return self.heap(for_size=v8.for_size(self.flags)).limit_bytes

    @property
    def cap_bytes(self) -> int:
        """The least cap under which V8's own error comes before the kill, wherever it runs."""
        return self.heap(for_size=False).limit_bytes + v8.OUTSIDE_HEAP

    def all_flags(self) -> tuple[str, ...]:
        """As on a command line, the heap's first."""
        return (f"--{v8.OLD}={self.old_mb}", f"--{v8.SEMI}={self.semi_mb}", *self.flags)

    def arithmetic(self) -> str:
        """How the least cap comes about, with its figures."""
        old, semi = size(self.old_mb * MIB), size(self.semi_mb * MIB)
        return (
            f"its heap may hold {old} old + 3 x {semi} semi-space, and Node needs "
            f"{size(v8.OUTSIDE_HEAP)} beside it: {size(self.cap_bytes)}"
        )


def directory(config_path: Path | None = None) -> Path:
    """Where an operator's own presets lie: beside the configuration in force."""
    return (config_path or config_file()).parent / "presets"


def find(name: str, own: Path | None = None) -> Preset:
    """The preset of that name, the operator's own (in `own`) before a shipped one.

    Raises:
        UsageError: there is none, or its file cannot be understood.
        StorageTrouble: its file cannot be read.
    """
    if _NAME.fullmatch(name):
        for place in _places(own):
            path = place / f"{name}.toml"
            if path.is_file():
                return _read(path)
    names = ", ".join(_names(own))
    raise UsageError(f"There is no preset {name[:40]!r}.", f"Choose one of {names}.")


def every(own: Path | None = None) -> list[Preset]:
    """All of them, the smallest heap first.

    Raises:
        UsageError, StorageTrouble: as `find`, for any of them.
    """
    found = [find(name, own) for name in _names(own)]
    return sorted(found, key=lambda preset: (preset.limit_bytes, preset.name))


def parse(text: str, name: str, source: str) -> Preset:
    """The preset that `text` describes; `source` is what the messages call it.

    Raises:
        UsageError: not TOML, an unknown key, or a value that cannot be understood.
    """
    table = parse_toml(text, source)
    for key in table:
        if key not in _KEYS:
            raise unknown_key(source, key, _KEYS)
    return Preset(
        name=name,
        about=_texts([table.get("about", "")], f"{source}, about")[0],
        old_mb=_mib(table, "old", LEAST_OLD_MB, source),
        semi_mb=_mib(table, "semi", 1, source),
        flags=_flags(table.get("flags", []), f"{source}, flags"),
        measured=_texts(table.get("measured", []), f"{source}, measured"),
    )


def _places(own: Path | None) -> list[Path]:
    return [own if own is not None else directory(), SHIPPED]


def _names(own: Path | None) -> list[str]:
    found = {path.stem for place in _places(own) for path in place.glob("*.toml")}
    return sorted(name for name in found if _NAME.fullmatch(name))


def _read(path: Path) -> Preset:
    try:
        with path.open("rb") as file:
            text = file.read(_FILE_MAX).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
    except OSError as error:
        raise StorageTrouble(
            f"The preset {path} cannot be read: {error.strerror}.", "Mend its permissions."
        ) from error
    preset = parse(text, path.stem, str(path))
    return preset if path.parent == SHIPPED else _owned(preset, path)


def _owned(preset: Preset, path: Path) -> Preset:
    from msgspec.structs import replace

    return replace(preset, source=str(path))


def _mib(table: dict[str, Any], key: str, least: int, source: str) -> int:
    where = f"{source}, {key}"
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f"{where}: there is no size.", f'Write {key} = "{least}M" or more.')
    mib = parse_size(str(value), f"{where}:") // MIB
    if mib < least:
        raise UsageError(f"{where}: {value} is too little.", f"V8 starts with {least}M or more.")
    return mib


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{where}: this is no text.", "Write text in quotes.")
    return tuple(value)


def _flags(value: object, where: str) -> tuple[str, ...]:
    flags = _texts(value, where)
    for flag in flags:
        name = v8.flag_name(flag)
        if not _FLAG.fullmatch(flag):
            raise UsageError(
                f"{where}: {flag[:40]!r} is no flag.", 'Write "--name" or "--name=value".'
            )
        if name in NO_EFFECT:
            raise UsageError(f"{where}: {NO_EFFECT[name]}", "Leave it out.")
        if name in (v8.OLD, v8.SEMI, *v8.OTHER_LIMITS):
            raise UsageError(
                f"{where}: the heap limit is set by old and semi, not by {flag[:40]}.",
                "Leave it out.",
            )
    return flags
