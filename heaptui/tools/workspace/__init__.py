"""The directory that the tools work in, and what may be opened in it."""
