"""What is loaded into a task's processes, so that their heaps can be seen, collected and written.

`node.cjs` goes into Node.js by NODE_OPTIONS (`node_socket.cjs` is the worker thread that it
starts), `python/` into Python by PYTHONPATH; both speak
heaptui/wire.py on the socket that $HEAPTUI_SOCKET names. `place` puts them where they stay.
"""
