"""Looking into processes that heaptui did not start: what is possible, and doing it."""
