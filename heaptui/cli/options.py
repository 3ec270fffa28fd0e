"""Options that commands of several modules take."""

from __future__ import annotations

import click

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
