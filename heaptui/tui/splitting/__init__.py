"""The preview of a split: how a task would be divided, and what the operator makes of it."""
