"""Grep: a program of its own that searches, kept in bounds."""
