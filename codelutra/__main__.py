"""`python -m codelutra`."""

import sys

from codelutra.cli import main

sys.exit(main())
