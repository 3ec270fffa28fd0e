"""Sizes and durations: what is accepted, what is refused, what the screen shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui import units
from heaptui.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("2G", 2 << 30), ("300m", 300 << 20), ("1.5 GiB", 3 << 29), ("512kb", 512 << 10), ("77", 77)],
)
def test_sizes_are_binary(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1G", "2X", "1e9", "G", "2 G G", "٣M", "0.1"])
def test_a_size_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_size(text, "cap")
    assert "cap" in caught.value.what
    assert "300M" in caught.value.remedy


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "T", "1048577T"])
def test_a_size_beyond_every_machine_is_refused(text: str) -> None:
    assert units.parse_size("1048576T") == units.SIZE_MAX
    with pytest.raises(UsageError, match=r"cap .* more than any machine"):
        units.parse_size(text, "cap")


@pytest.mark.parametrize("text", ["9" * 400, "9" * 400 + "d", "9" * 400 + "d1h", "36601d"])
def test_a_duration_beyond_every_patience_is_refused(text: str) -> None:
    assert units.parse_duration("36600d") == units.DURATION_MAX_S
    with pytest.raises(UsageError, match=r"--timeout .* hundred years"):
        units.parse_duration(text, "--timeout")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("45s", 45), ("20m", 1200), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "0", "m", "30m1h", "-5", "five", "inf", "nan"])
def test_a_duration_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("30k", 30_000), ("30000", 30_000), ("1.5M", 1_500_000), (" 30,000 ", 30_000), ("7.7K", 7700),
     ("1_000_000", 1_000_000), ("1000M", units.TOKENS_MAX), ("0.001k", 1)],
)  # fmt: skip
def test_tokens_are_counted_in_plain_thousands(text: str, tokens: int) -> None:
    assert units.parse_tokens(text) == tokens


@pytest.mark.parametrize(
    "text",
    ["", "0", "0.9", "-30k", "30kb", "30G", "k", "3,00", ",000", "1e4", "٣k", "1001M", "9" * 400,
     "9" * 400 + "M"],
)  # fmt: skip
def test_a_number_of_tokens_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--budget .* is no number of tokens") as caught:
        units.parse_tokens(text, "--budget")
    assert "30k" in caught.value.remedy


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "·"),
        (0, "0B"),
        (61 << 10, "61k"),
        (842 << 20, "842M"),
        (int(1.93 * (1 << 30)), "1.93G"),
        (999.6 * (1 << 20), "0.98G"),
        (-(5 << 20), "-5.00M"),
    ],
)
def test_a_size_on_the_screen(value: float | None, shown: str) -> None:
    assert units.size(value) == shown


@given(st.integers(0, 1 << 49))
def test_a_shown_size_reads_back_to_three_digits_and_fits_its_column(value: int) -> None:
    shown = units.size(value)
    assert len(shown) <= 6
    if value >= 10 << 20:
        assert abs(units.parse_size(shown) - value) <= value * 0.051
    # below 10M the figure has no fraction of a kilobyte, and B is read as bytes
    elif value >= 1:
        assert abs(units.parse_size(shown) - value) <= max(value * 0.51, 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "·"), (88 << 20, "+88M"), (-int(1.1 * (1 << 30)), "-1.1G"), (1000, "0")],
)
def test_growth_is_signed_and_quiet_below_half_a_megabyte(value: float | None, shown: str) -> None:
    assert units.growth(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "·"), (34.9, "34s"), (80, "1m20"), (2040, "34m"), (11100, "3h05"), (183600, "2d03")],
)
def test_a_duration_on_the_screen(seconds: float | None, shown: str) -> None:
    assert units.duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "·"), (912, "912"), (61_200, "61k"), (1_840_000, "1.84M")]
)
def test_a_count_on_the_screen(value: float | None, shown: str) -> None:
    assert units.count(value) == shown
