"""The soak: a supervisor of its own under days of simulated work and chaos, with a report that
counts what was lost, done twice, or ended for no reason that can be shown."""
