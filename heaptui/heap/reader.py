"""A snapshot's reader: a process of its own that loads the files and answers questions.

async with reader(path, progress=show) as snapshot:
    classes = await snapshot.ask(Summary())
"""
