"""How what a task works through is listed, divided and counted as done. Knows no supervisor."""
