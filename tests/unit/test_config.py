"""The configuration: strict, with an example that cannot drift from the defaults."""

import re
from pathlib import Path

import pytest

from heaptui import config, model
from heaptui.errors import StorageTrouble, UsageError


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "absent.toml") == config.Config()


def test_the_defaults_agree_with_the_model() -> None:
    limits = config.LimitsConfig()
    assert limits.grace_s == model.DEFAULT_GRACE_S
    assert limits.output_bytes == model.DEFAULT_OUTPUT_BYTES


def test_the_example_is_the_defaults_and_shows_every_key() -> None:
    assert config.parse(config.EXAMPLE, "example") == config.Config()
    live = re.sub(r'^# ([\w."]+ = |\[)', r"\1", config.EXAMPLE, flags=re.MULTILINE)
    table = config.parse_toml(live, "example")
    shown = {(section, key) for section, keys in table.items() for key in keys}
    import msgspec

    assert shown == {
        (section.name, field.name)
        for section in msgspec.structs.fields(config.Config)
        for field in msgspec.structs.fields(section.type)
    }
    # what has no value by default cannot be shown with it
    assert table["queue"].pop("concurrency")
    assert table["limits"].pop("cap")
    assert table["app"].pop("keys")
    assert table["heap"].pop("directory")
    assert table["admission"].pop("budget")
    assert table["alerts"].pop("hook")
    assert table["split"].pop("planner")
    assert table["metrics"].pop("port")
    assert config.parse(live, "example").policy.of(model.Kind.NODE).gc.at_share == 0.7
    assert table["policy"].pop("kinds")
    assert msgspec.convert(table, config.Config) == config.Config()


def test_what_is_written_is_used(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[queue]\nconcurrency = 3\n[limits]\ncap = "2G"\ngrace = "1m"\nshare = 1\n'
        '[app.keys]\nstop = "ctrl+s"\n'
    )
    read = config.load(path)
    assert read.queue.slots() == 3
    assert read.limits.cap_bytes == 2 << 30
    assert read.limits.grace_s == 60
    assert read.limits.share == 1
    assert read.app.keys == {"stop": "ctrl+s"}
    assert read.retry == config.RetryConfig()


@pytest.mark.parametrize(("cores", "slots"), [(1, 4), (2, 4), (3, 6), (32, 64)])
def test_concurrency_follows_the_cores(cores: int, slots: int) -> None:
    assert config.QueueConfig().slots(cores) == slots


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("[queue]\nconcurency = 3", "'concurency'", "Did you mean 'concurrency'"),
        ("[limit]\ncap = '2G'", "'limit'", "Did you mean 'limits'"),
        ("zzz = 1", "'zzz'", "Known: admission, alerts, app"),
        ("queue = 3", "queue is a section", "[queue]"),
        ("[queue]\nconcurrency = '3'", "queue.concurrency", "a whole number of tasks"),
        ("[queue]\nconcurrency = 0", "queue.concurrency", "1 or more"),
        ("[limits]\nshare = 1.5", "limits.share", "at most 1"),
        ("[limits]\ncap = 300", "limits.cap", '"300M"'),
        ("[limits]\ncap = '2 fortnights'", "limits.cap", "300M, 2G"),
        ("[limits]\ngrace = 'soon'", "limits.grace", "20m"),
        ("[limits]\noutput = '0'", "limits.output", "300M"),
        ("[retry]\nretries = -1", "retry.retries", "0 to 1000"),
        ("[retry]\nbackoff = '10m'", "backoff_max", "Raise the one"),
        ("[history]\nkeep_days = 0", "history.keep_days", "above 0"),
        ("[heap]\npreload = 'no'", "heap.preload", "true or false"),
        ("[heap]\nraise_cap = 'sometimes'", "heap.raise_cap", "always"),
        ("[heap]\ndirectory = 'heaps'", "heap.directory", "an absolute path"),
        ("[heap]\nkeep_snapshots = 0", "heap.keep_snapshots", "1 or more"),
        ("[heap]\nkeep = '10 elephants'", "heap.keep", "300M, 2G"),
        ("[app]\nascii = 'no'", "app.ascii", "true or false"),
        ("[app.keys]\nstop = 3", "app.keys", "binding ids"),
        ("[queue", "not valid TOML", "line"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_the_way_out(
    tmp_path: Path, text: str, what: str, remedy: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        config.load(path)
    assert str(path) in caught.value.what
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe[queue]")
    with pytest.raises(UsageError, match="UTF-8"):
        config.load(path)


def test_a_file_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    with pytest.raises(StorageTrouble):
        config.load(tmp_path)
