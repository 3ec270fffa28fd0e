"""heaptui: run AI agents in processes with heaps of their own, and see what each one holds."""

__version__ = "0.1.0"
