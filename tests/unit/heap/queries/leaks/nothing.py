from collections import deque

recent = deque(maxlen=500)


def grow(times):
    for i in range(times):
        recent.append({"i": i, "text": "x" * 100 + str(i)})


grow(500)
