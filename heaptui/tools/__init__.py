"""File tools whose memory does not depend on the file: Read, Grep, Write, Edit, List."""
