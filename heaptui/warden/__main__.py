"""Run by its path, for `-m` would need the site-packages, and a directory `runpy`: a megabyte."""

import os
import sys

if __name__ == "__main__":
    # last: nothing installed beside heaptui may take the place of the standard library
    sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))
    from heaptui.warden.main import main

    main(*sys.argv[1:])
