class Session:
    def __init__(self):
        self.turns = []


session = Session()


def grow(times):
    for i in range(times):
        session.turns.append({"i": i, "text": "x" * 100 + str(i)})
