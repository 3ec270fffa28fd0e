"""A finding in words."""

import msgspec

from heaptui.heap.answers import DiffRow, Grown, LeakAnswer, ObjectRow
from heaptui.supervisor import finding_words
from heaptui.units import MIB

PATH = (
    ObjectRow(node=0, id=1, name="(root)", kind="synthetic"),
    ObjectRow(node=1, id=2, name="remember()", kind="closure", edge=".exports"),
    ObjectRow(node=2, id=3, name="system / Context", kind="object", edge="(context)", inner=True),
    ObjectRow(node=3, id=4, name="Array", kind="object", edge="(closure) history"),
)
LEAK = LeakAnswer(
    text="Module-level variable `history` in src/memory.js grew by 61M: +1,020 string (60M).",
    growers=(Grown(name="string", count=1020, bytes=60 * MIB, retained=60 * MIB),),
    path=PATH,
    holder="module-level variable `history`",
    file="src/memory.js",
    held_bytes=200 * MIB,
    new_bytes=61 * MIB,
)


def test_a_holder_is_named_with_its_pace_and_the_way_there() -> None:
    assert finding_words.words(LEAK, 62) == (
        "Module-level variable `history` in src/memory.js grew by 61M: +1,020 string (60M). "
        "In 1m02, that is +59M a minute. "
        "Path: (root) → .exports remember() → (closure) history Array"
    )
    assert finding_words.path_of(PATH)[-1] == "(closure) history Array"
    grower = finding_words.growers_of(LEAK, 30)[0]
    assert (grower.bytes, grower.count, grower.bytes_per_min) == (60 * MIB, 1020, 120 * MIB)


def test_where_nothing_grew_it_is_what_the_comparison_says() -> None:
    assert finding_words.words(LeakAnswer(text="Nothing grew."), 60) == "Nothing grew."


def test_a_long_path_keeps_its_end() -> None:
    steps = tuple(
        ObjectRow(node=n, id=n, name=f"Step{n}", kind="object", edge=f".s{n}") for n in range(20)
    )
    text = finding_words.words(msgspec.structs.replace(LEAK, path=steps), 60)
    assert "Path: … → .s14 Step14" in text
    assert text.endswith(".s19 Step19")


def test_a_hostile_name_is_harmless() -> None:
    evil = "\x1b[2Jevil\nname" + "x" * 10_000
    answer = LeakAnswer(
        text=evil,
        growers=(Grown(name=evil, count=1, bytes=1, retained=1),),
        holder=evil,
        function=evil,
        file=evil,
        path=(ObjectRow(node=0, id=1, name=evil, kind="x", edge=evil),),
    )
    for text in (
        finding_words.words(answer, 1),
        finding_words.words(LeakAnswer(text=evil), 1),
        finding_words.growers_of(answer, 1)[0].name,
        *finding_words.path_of(answer.path),
    ):
        assert "\x1b" not in text
        assert "\n" not in text
        assert len(text) < 1500


def test_classes_alone_where_nothing_says_who_holds_them() -> None:
    def row(name: str, delta_bytes: int) -> DiffRow:
        return DiffRow(
            name=name, new=9, freed=2, delta=7, new_bytes=0, freed_bytes=0, delta_bytes=delta_bytes
        )

    rows = [row("Array", 6 * MIB), row("string", MIB), row("Map", -MIB)]
    growers = finding_words.growers_by_class(rows, 120, 5)
    assert [(one.name, one.bytes_per_min) for one in growers] == [
        ("Array", 3 * MIB),
        ("string", MIB / 2),
    ]
    text = finding_words.words_by_class(growers, 120, "numpy is not installed")
    assert text.startswith("Array grew most: by 6.00M in 2m00 (+3.00M a minute), 7 more")
    assert "numpy is not installed" in text
    assert "nothing grew" in finding_words.words_by_class((), 120, "why")
