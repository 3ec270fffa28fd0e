chunks = []


def grow(times):
    chunks.extend(bytearray(5000) for _ in range(times))
