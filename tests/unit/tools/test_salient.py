"""What is worth showing of a long output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heaptui.tools.artifacts.salient import MOST, Salient

TRACEBACK = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    go()
MemoryError
"""


def seen(text: str, head: int = 0, tail: int = 0, piece: int = 1000) -> tuple[str, ...]:
    salient = Salient()
    data = text.encode()
    for at in range(0, len(data), piece):
        salient.feed(data[at : at + piece])
    salient.close()
    return salient.shown(head, tail)


def noise(count: int, first: str = "line") -> str:
    return "".join(f"{first} {'abcdefghij'[n % 10]}\n" for n in range(count))


def test_errors_and_warnings_with_their_lines() -> None:
    text = noise(10) + "ERROR: no room\n" + noise(10) + "Warning: old\n" + noise(3)
    assert seen(text) == ("11: ERROR: no room", "22: Warning: old")


def test_a_traceback_is_its_beginning_and_what_was_raised() -> None:
    found = seen(noise(5) + TRACEBACK + noise(5))
    assert found == ("6: Traceback (most recent call last):", "9: MemoryError")


def test_the_same_with_other_figures_is_shown_once_with_its_last() -> None:
    text = "".join(f"12:00:{n:02} error 0x{n:x} in job {n}\nfine\n" for n in range(50))
    assert seen(text) == ("1: 12:00:00 error 0x0 in job 0 (x 50, last in line 99)",)


def test_a_line_that_comes_again_and_again() -> None:
    text = noise(3) + "waiting\n" * 500 + noise(3) + "twice\n" * 2
    assert seen(text) == ("4: waiting (x 500, last in line 503)",)


def test_blank_lines_say_nothing() -> None:
    assert seen("a\n" + "\n" * 100 + " \n" * 100) == ()


def test_the_last_line_needs_no_end() -> None:
    assert seen(noise(3) + "panic: gone") == ("4: panic: gone",)
    assert seen(noise(3) + "same\n" * 3 + "same") == ("4: same (x 4, last in line 7)",)


def test_what_is_shown_anyway_is_not_said_again() -> None:
    text = "error a\n" + noise(10) + "error b\n" + noise(10) + "error c\n"
    assert seen(text, head=1, tail=1) == ("12: error b",)


def test_what_goes_on_beyond_what_is_shown_is_said() -> None:
    text = "error 1\n" + (noise(3) + "error 2\n") * 50 + noise(5)
    assert seen(text, head=1, tail=1) == ("1: error 1 (x 51, last in line 201)",)


def test_errors_come_before_warnings_and_first_and_last_are_kept() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    text = "".join(f"warning {x}\nerror {x}{y}\n" for x in letters for y in letters)
    found = seen(text)
    assert len(found) == MOST
    assert all(": error " in line for line in found)
    assert found[0] == "2: error aa"
    assert found[-1].endswith("error zz")


@given(
    st.lists(st.sampled_from(["error 1", "warn", "fine", "fine", "x" * 300, ""]), max_size=60),
    st.integers(1, 50),
)
def test_the_pieces_do_not_matter(lines: list[str], piece: int) -> None:
    text = "\n".join(lines)
    assert seen(text, piece=piece) == seen(text)


def test_it_stays_small_whatever_comes() -> None:
    salient = Salient()
    for n in range(2000):
        name = "".join(chr(97 + int(digit)) for digit in str(n))
        salient.feed(f"error {name}\n".encode() + b"error " * 20_000)
        assert len(salient._rest) <= 4096
    salient.close()
    assert len(salient._early) + len(salient._late) <= 200
    assert all(len(line) < 300 for line in salient.shown(0, 0))
