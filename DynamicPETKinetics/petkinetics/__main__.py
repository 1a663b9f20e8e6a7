"""``python -m petkinetics``: the command line."""

import sys

from petkinetics.cli import main

sys.exit(main())
