"""`python -m jaxgru`."""

import sys

from jaxgru.cli import main

if __name__ == "__main__":
    sys.exit(main())
