"""Reading a heap snapshot: what runs in the reader's process, over numpy and numba."""
