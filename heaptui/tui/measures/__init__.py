"""What tasks of each name needed: the distribution of their peaks, and peaks against durations."""
