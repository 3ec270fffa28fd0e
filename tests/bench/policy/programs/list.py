"""Small objects, as fast as they come."""

held = []
while True:
    held.append([len(held)])
