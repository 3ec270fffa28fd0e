from typing import ClassVar


class Metrics:
    samples: ClassVar = []


def grow(times):
    for i in range(times):
        Metrics.samples.append({"i": i, "text": "x" * 100 + str(i)})
