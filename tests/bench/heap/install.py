"""The peers of the snapshot's reader and the Nodes it is tried with: pinned, from npm, in a folder
of their own (`.bench/` of the checkout)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from heaptui.runtime import node

ROOT = Path(__file__).parents[3] / ".bench"
PEERS = {
    "@vscode/v8-heap-parser": "0.1.0",
    "heap-snapshot-toolkit": "1.1.3",
    "@memlab/heap-analysis": "2.0.5",
}
NODE_22 = "22.23.3"
INSTALL_WITHIN_S = 300


class NotInstalled(Exception):
    """npm is missing, or it failed; the text says how."""


def peers() -> Path:
    """The peers' `node_modules`.

    Raises:
        NotInstalled: they cannot be had.
    """
    place = ROOT / "peers"
    # their install scripts fetch a browser, which reading files does not need
    _install(place, PEERS, "--ignore-scripts", PUPPETEER_SKIP_DOWNLOAD="1")
    return place / "node_modules"


def nodes() -> dict[str, Path]:
    """Every Node that snapshots are taken with, by version and where it is from.

    Raises:
        NotInstalled: npm's cannot be had.
    """
    _install(ROOT / "node-22", {"node": NODE_22})
    found = {
        "system": node.locate(dict(os.environ), Path("/")),
        "npm": ROOT / "node-22/node_modules/node/bin/node",
        "wheel": node.wheel(),
    }
    return {f"{_version(path)} ({name})": path for name, path in found.items() if path}


def _version(path: Path) -> str:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return said.stdout.strip()


def _install(place: Path, packages: dict[str, str], *options: str, **environment: str) -> None:
    if all(_installed(place, name) == version for name, version in packages.items()):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("npm is not installed: it comes with Node")
    place.mkdir(parents=True, exist_ok=True)
    (place / "package.json").write_text('{"private": true}\n')
    done = subprocess.run(
        [
            *(npm, "install", "--prefix", str(place), "--no-audit", "--no-fund", "--save-exact"),
            *("--prefer-offline", *options),
            *(f"{name}@{version}" for name, version in packages.items()),
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=INSTALL_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise NotInstalled(f"npm failed: {done.stderr.strip()[-300:]}")


def _installed(place: Path, name: str) -> str | None:
    try:
        version: str = json.loads((place / "node_modules" / name / "package.json").read_text())[
            "version"
        ]
    except (OSError, ValueError, KeyError):
        return None
    return version
