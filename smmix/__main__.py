"""``python -m smmix``: the same as the ``smmix`` command."""

import sys

from smmix.cli import main

if __name__ == "__main__":
    sys.exit(main())
