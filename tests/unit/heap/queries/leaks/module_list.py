history = []


def grow(times):
    history.extend({"i": i, "text": "x" * 100 + str(i)} for i in range(times))
