"""Measuring tasks and the machine from outside, and keeping caps."""
