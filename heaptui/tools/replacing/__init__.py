"""Write and Edit: a file replaced by another, all at once and verified."""
