"""What an output ends with: a runtime's notice in its form, and lines that only look like one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.engine.last_words import (
    COLLECTIONS,
    DURING,
    LINES,
    TRACEBACK,
    Notice,
    closing,
    closing_notice,
    last_words,
)

HEAP = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"

V8_20 = f"""
<--- Last few GCs --->

[20684:0x3b0]      181 ms: Mark-sweep 50.1 (81.9) -> 50.0 (82.1) MB, 21.1 / 0.0 ms

<--- JS stacktrace --->

{HEAP}

Writing Node.js report to file: report.20261123.034009.23424.0.001.json
Node.js report completed
----- Native stack trace -----

 1: 0xb78db3 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]
10: 0x195e476  [node]
Aborted (core dumped)
"""
V8_18 = f"""
<--- Last few GCs --->

<--- JS stacktrace --->

{HEAP}
 1: 0xb9bbf0 node::Abort() [/usr/bin/node]
/bin/run: line 3: 23384 Aborted                 node app.js
"""
RESERVE = """

#
# Fatal process out of memory: SegmentedTable::InitializeTable (subspace allocation)
#
----- Native stack trace -----

 1: 0x9dde61  [node]
"""
BUFFER = """node:internal/buffer:1063
  return new FastBuffer(createUnsafeArrayBuffer(size));
                        ^

RangeError: Array buffer allocation failed
    at createUnsafeBuffer (node:internal/buffer:1063:25)
    at Function.alloc (node:buffer:394:17)

Node.js v20.20.2
"""
BUFFER_24 = """node:internal/buffer:1113
RangeError: Failed to allocate memory
    at createUnsafeBuffer (node:internal/buffer:1113:25)
    at node:internal/main/eval_string:71:3 {
  code: 'ERR_MEMORY_ALLOCATION_FAILED'
}

Node.js v24.21.0
"""
WORKER = """node:events:502
      throw er; // Unhandled 'error' event
      ^

Error [ERR_WORKER_OUT_OF_MEMORY]: Worker terminated due to reaching memory limit: JS heap out
    at [kOnExit] (node:internal/worker:320:26)
Emitted 'error' event on Worker instance at:
    at Worker.<computed>.onexit (node:internal/worker:230:20) {
  code: 'ERR_WORKER_OUT_OF_MEMORY'
}

Node.js v20.20.2
"""
PYTHON = """starting
Traceback (most recent call last):
  File "e.py", line 4, in <module>
    f()
    ~^^
MemoryError
"""
NUMPY = """Traceback (most recent call last):
  File "e.py", line 4, in <module>
numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB for an array
"""
EXHAUSTED = f"MemoryError\n\n{DURING}\n\nMemoryError\n\n{DURING}\n\nMemoryError\n"
OPTION = "/usr/bin/node: bad option: --foo\n"
NOT_ALLOWED = "node: --optimize_for_size is not allowed in NODE_OPTIONS\n"
BAD_ALLOC = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad\n"
RUST = "memory allocation of 17179869184 bytes failed\nAborted\n"

REAL = {
    "v8 20": (V8_20, Notice.V8_HEAP),
    "v8 18 behind bash": (V8_18, Notice.V8_HEAP),
    "reservation": (RESERVE, Notice.RESERVATION),
    "buffer": (BUFFER, Notice.BUFFER),
    "buffer 24": (BUFFER_24, Notice.BUFFER),
    "worker": (WORKER, Notice.WORKER_THREAD),
    "python": (PYTHON, Notice.PYTHON),
    "numpy": (NUMPY, Notice.PYTHON),
    "python without memory": (EXHAUSTED, Notice.PYTHON),
    "option": (OPTION, Notice.BAD_OPTION),
    "not allowed": (NOT_ALLOWED, Notice.BAD_OPTION),
    "bad_alloc": (BAD_ALLOC, Notice.NATIVE),
    "rust": (RUST, Notice.NATIVE),
}


def notice(text: str) -> Notice | None:
    found = closing(text.split("\n"))
    return closing_notice(found.words, found.last_line)


@pytest.mark.parametrize(("text", "expected"), REAL.values(), ids=REAL.keys())
def test_a_runtime_s_last_words_are_known(text, expected):
    assert notice(text) is expected


@pytest.mark.parametrize(("text", "_"), REAL.values(), ids=REAL.keys())
@given(after=st.sampled_from(["retrying", "OSError: [Errno 28] No space", "npm error code 1"]))
def test_they_are_no_last_words_when_something_follows(text, _, after):
    found = closing((text + after).split("\n"))
    assert closing_notice(found.words, found.last_line) is None
    assert found.last_line == after
    assert found.words, "it is still evidence"


@pytest.mark.parametrize(
    "text",
    [
        HEAP,
        "RangeError: Array buffer allocation failed",
        "RangeError: Array buffer allocation failed\n    at f (x.js:1:1)",
        "MemoryError",
        "log: MemoryError",
        f"{TRACEBACK}\nMemoryError was caught\nMemoryError",
        f"  said: {COLLECTIONS}\n{HEAP}",
        "",
        "\n\n",
    ],
)
def test_a_line_out_of_its_form_is_no_notice(text):
    assert notice(text) is None


def test_what_is_shown_is_bounded_and_harmless():
    lines = [f"MemoryError: \x1b[31m{'x' * 500}"] * 50
    found = closing(lines)
    assert len(found.words) == 8
    assert all(len(word) <= 200 and "\x1b" not in word for word in found.words)


@given(st.lists(st.text(max_size=40), max_size=30))
def test_any_output_is_taken(lines):
    found = closing(lines)
    assert closing_notice(found.words, found.last_line) is None or found.words


def test_only_the_end_of_a_file_is_read(tmp_path: Path):
    output = tmp_path / "1.log"
    output.write_text(PYTHON + "noise\n" * (LINES + 10))
    assert last_words(output).words == ()
    assert last_words(tmp_path / "absent").last_line == ""
