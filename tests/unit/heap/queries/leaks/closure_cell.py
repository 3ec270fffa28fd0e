def make_keeper():
    kept = []

    def keep(item):
        kept.append(item)

    return keep


keep = make_keeper()


def grow(times):
    for i in range(times):
        keep({"i": i, "text": "x" * 100 + str(i)})
