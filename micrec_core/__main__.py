"""``python -m micrec_core``."""

import sys

from micrec_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
