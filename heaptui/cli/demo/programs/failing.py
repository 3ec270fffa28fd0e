"""Fails as agents do: some work, an exception with its traceback, an exit code of its own."""

import json
import sys
import time
import traceback

ANSWER = '{"path": "src/parser.py", "edits": [{"line": 12, "text": "return tokens"}'


def apply_edits(answer: str) -> None:
    for edit in json.loads(answer)["edits"]:
        print(f"line {edit['line']}: {edit['text']}")


def main() -> int:
    for step in ("reading the plan", "asking the model for edits", "applying the edits"):
        print(step)
        time.sleep(0.6)
    try:
        apply_edits(ANSWER)
    except ValueError:
        traceback.print_exc()
        print("the model's answer ends in the middle", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
