responses = {}


def grow(times):
    for i in range(times):
        responses[f"request {len(responses)}"] = "x" * 100 + str(i)
