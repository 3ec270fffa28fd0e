"""What an agent's own prompt takes, by the program that a command runs."""

from __future__ import annotations

import shlex

import pytest

from heaptui.runtime.prompts import FIXED_TOKENS, fixed_prompt_tokens


@pytest.mark.parametrize(
    ("line", "agent"),
    [
        ("codex exec --json 'Do it'", "codex"),
        ("/usr/local/bin/claude -p 'Do it'", "claude"),
        ("copilot -p x --allow-all-tools", "copilot"),
        ("pi --mode json -p x", "pi"),
        ("cline --json x", "cline"),
        ("qwen -p x", "qwen"),
        ("gemini -m pro -p x", "gemini"),
        ("opencode run --format json x", "opencode"),
        ("mini -m M -y -t x", "mini"),
        ("env -i -u HOME A=1 B= gemini -p x", "gemini"),
        ("/usr/bin/env -C /tmp npx -y @google/gemini-cli@0.61 -p x", "gemini"),
        ("npx -p @openai/codex@latest codex exec x", "codex"),
        ("npx @openai/codex exec x", "codex"),
        ("npx opencode-ai@1.18 run x", "opencode"),
        ("npx --yes cline@3 --json x", "cline"),
        ("uvx mini-swe-agent -t x", "mini"),
        ("timeout -k 5 20m nice -n 5 claude -p x", "claude"),
        ("node --max-old-space-size=900 /usr/lib/node_modules/@qwen-code/qwen-code/cli.js", "qwen"),
        ("bun /opt/node_modules/cline/dist/cli.js", "cline"),
        ("python3 /opt/bin/mini -t x", "mini"),
    ],
)
def test_an_agent_is_known_by_its_program_wherever_it_stands(line, agent):
    assert fixed_prompt_tokens(shlex.split(line)) == FIXED_TOKENS[agent]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "env",
        "env A=1",
        "npx -y",
        "timeout 20m",
        "node",
        "node agent.js",
        "sh -c 'claude -p x'",
        "cat gemini",
        "eslint codex/",
        "/opt/claude/bin/lint",
        "npx @someone/codex-cli",
        "node /opt/node_modules/lodash/index.js gemini",
    ],
)
def test_what_only_looks_like_one_takes_nothing(line):
    assert fixed_prompt_tokens(shlex.split(line)) == 0
