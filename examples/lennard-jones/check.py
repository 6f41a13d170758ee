"""Refuse a run whose total energy moved too far: its time step is too long.

    check.py ERROR LIMIT
"""

import sys

error, limit = map(float, sys.argv[1:])
if not error <= limit:
    sys.exit(f"the total energy moved by {error:.2g} per atom, more than {limit:g}: take a smaller dt")
print("ok")
