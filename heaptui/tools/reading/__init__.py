"""Read: some of a file, in memory that does not depend on it."""
