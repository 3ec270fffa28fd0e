"""Names that may be shown anywhere, and the kind a command tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import Kind
from heaptui.runtime.names import clean_name, infer_kind


@given(st.text(max_size=300), st.lists(st.text(max_size=100), max_size=3))
def test_a_name_is_one_short_visible_line(text: str, argv: list[str]) -> None:
    name = clean_name(text, argv)
    assert 1 <= len(name) <= 80
    assert name == " ".join(name.split())
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in name)


@pytest.mark.parametrize(
    ("text", "argv", "name"),
    [
        ("build", [], "build"),
        ("\x1b[31mred\x1b[0m\nalert", [], "red alert"),
        ("", ["/usr/bin/node", "dist/agent.js", "--go"], "agent.js"),
        ("", ["python3", "-m", "agent"], "python3"),
        ("\n\t", ["/opt/bin/gemini"], "gemini"),
        ("", [], "task"),
        ("x" * 10_000, [], "x" * 79 + "…"),
    ],
)
def test_what_a_task_is_called(text: str, argv: list[str], name: str) -> None:
    assert clean_name(text, argv) == name


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("node", Kind.NODE),
        ("/usr/local/bin/node", Kind.NODE),
        ("agent.mjs", Kind.NODE),
        ("python", Kind.PYTHON),
        ("/usr/bin/python3.12", Kind.PYTHON),
        ("./agent.py", Kind.PYTHON),
        ("sh", Kind.COMMAND),
        ("nodemon", Kind.COMMAND),
        ("pythonic", Kind.COMMAND),
    ],
)
def test_the_kind_of_a_command(program: str, kind: Kind) -> None:
    assert infer_kind([program, "x"]) is kind
    assert infer_kind([]) is Kind.COMMAND
