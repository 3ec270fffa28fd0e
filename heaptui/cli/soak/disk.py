"""A small disk for the state directory, that can be filled: a file system in a file, where one may
be mounted. Not a tmpfs: what tasks print into that counts as their memory."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SIZE_BYTES = 1 << 30
_LEAST_BLOCK = 512
_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system in the file `image`, mounted at `at`."""

    image: Path
    at: Path

    @staticmethod
    def mounted(image: Path, at: Path) -> tuple[Disk | None, str]:
        """A new one over the directory `at`, or None and why not."""
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            return None, "only root may mount a disk that is small enough to be filled"
        with image.open("wb") as file:
            file.truncate(SIZE_BYTES)
        for argv in (
            ("mkfs.ext4", "-q", "-F", "-m", "0", str(image)),
            ("mount", "-o", "loop", str(image), str(at)),
        ):
            if (why := _run(*argv)) is not None:
                image.unlink()
                return None, f"no small disk can be mounted here: {argv[0]}: {why}"
        at.chmod(0o700)
        return Disk(image, at), ""

    @property
    def _filler(self) -> Path:
        return self.at / "filler"

    def fill(self) -> int:
        """Takes every byte that is free; how many those were."""
        handle = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        taken, block = 0, SIZE_BYTES
        try:
            while block >= _LEAST_BLOCK:
                try:
                    os.posix_fallocate(handle, taken, block)
                    taken += block
                except OSError:
                    block //= 2
        finally:
            os.close(handle)
        return taken

    def free(self) -> None:
        """Gives them back."""
        with suppress(FileNotFoundError):
            self._filler.unlink()

    def remove(self, *, keep: bool) -> None:
        """Unmounts it for good; with `keep` what is on it lies at `at` afterwards."""
        copy = self.at.with_name(f"{self.at.name}-kept")
        if keep:
            left_out = shutil.ignore_patterns("lost+found", "*.sock")
            shutil.copytree(self.at, copy, ignore=left_out)
        # lazily: whoever still holds a file keeps it until it ends
        _run("umount", "--lazy", str(self.at))
        self.image.unlink(missing_ok=True)
        if keep:
            self.at.rmdir()
            copy.rename(self.at)


def _run(*argv: str) -> str | None:
    """None when it succeeded, else why it did not."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"
