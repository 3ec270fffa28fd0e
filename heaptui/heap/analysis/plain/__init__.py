"""Reading a snapshot without numpy and numba: classes by count and size, and the difference of two.

Streams through the file in bounded memory; what is retained needs the graph, and the fast engine.
"""
