"""What must not be lost: tasks, attempts, events and minute roll-ups, in one SQLite database."""
