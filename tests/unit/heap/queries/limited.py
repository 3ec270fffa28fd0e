"""python limited.py -P -m MODULE ARGUMENTS...: as the interpreter would, in little memory."""

import resource
import runpy
import sys

_, _, _, module, *arguments = sys.argv
resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, resource.RLIM_INFINITY))
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
