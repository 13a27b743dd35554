"""The ``smmix`` command: fit, select, simulate, predict, ols.

Results go to standard output; warnings, progress and errors to standard error, one line each.
Exit status 0, 1 for a fit that did not converge, 2 for a wrong call or bad input.
"""

from smmix.cli.command import main

__all__ = ["main"]
