# ruff: noqa: PTH118
# mypy: ignore-errors
"""Begins heaptui's probe in a task's Python, then steps aside.

Its directory stands first on PYTHONPATH. It leaves `sys.path` as it would be without it (the
variable stays, so that child Pythons are found too), and imports the `sitecustomize` that it hides,
with that one's errors. Whatever goes wrong with the probe, the program runs as it would without.
"""


def _begin(here):
    import sys

    sys.path[:] = [entry for entry in sys.path if entry != here]
    sys.path_importer_cache.pop(here, None)
    del sys.modules[__name__]
    if sys.version_info < (3, 8) or sys.implementation.name != "cpython":
        return
    import os

    address, task = os.environ.get("HEAPTUI_SOCKET"), os.environ.get("HEAPTUI_TASK")
    if not address or not task:
        return
    # the probe's own files are compiled once, also where the program's are not to be
    asked, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        from _frozen_importlib_external import SourceFileLoader

        loader = SourceFileLoader("_heaptui_probe", os.path.join(here, "_heaptui_probe.py"))
        names = {"__name__": "_heaptui_probe", "__file__": loader.path}
        exec(loader.get_code("_heaptui_probe"), names)
        names["begin"](here, address, task)
    except Exception:  # noqa: BLE001, S110 - the program comes first: it is not told of a probe
        pass
    finally:
        sys.dont_write_bytecode = asked


_begin(__file__.rpartition("/")[0])

import sitecustomize  # noqa: E402, F401 - the one that would have been found without this
