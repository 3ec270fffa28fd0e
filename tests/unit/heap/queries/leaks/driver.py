"""$LEAK is a leak's program; at each line of input it grows. Beside it stands an innocent cache,
which replaces all its entries each time."""

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

loader = SourceFileLoader("leaky", os.environ["LEAK"])
leaky = module_from_spec(spec_from_loader("leaky", loader))
sys.modules["leaky"] = leaky
loader.exec_module(leaky)
cache = {}


def work(turn):
    for i in range(5000):
        cache[f"entry {i}"] = {"text": f"text {i} of {turn}".ljust(200, "."), "list": [i, {}]}


work(1)
leaky.grow(100)
print("ready", flush=True)
sys.stdin.readline()
work(2)
leaky.grow(4000)
print("grown", flush=True)
sys.stdin.readline()
