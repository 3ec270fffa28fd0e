"""Looking into a process: its heap's figures, its snapshots, and what a snapshot says."""
