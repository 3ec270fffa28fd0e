"""The demonstration: real programs, small enough for a laptop."""
