"""Splitting: what is left of a task becomes children, and their ends become its own."""
