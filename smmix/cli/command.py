"""Dispatch and the rules that hold for every command: one line per error, exit status."""

import argparse
import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import smmix
from smmix.cli import options, run
from smmix.cli.report import say
from smmix.errors import SmmixError

__all__ = ["main"]

WRONG = 2


ABOUT = """\
Finite mixtures of regressions.

commands:
  fit        fit a mixture to the rows of a table and print its summary
  select     fit several numbers of components and print the best fit
  predict    predict the rows of a table from a fit that was saved
  simulate   draw a table from a mixture
  ols        least squares for a stream of numbers on standard input

smmix COMMAND --help tells the options of a command.

examples:
  smmix fit "foodexp ~ income" --dataset engel -k 2
  smmix fit "y ~ x1 + x2" data.csv -k 3 --save fit.json --plot fit.png
  smmix fit "visits ~ age" data.csv --family poisson --exposure months
  smmix select "y ~ x1 + x2" data.csv -k 1:5
  smmix select data.csv --response y
  smmix predict fit.json new.csv
  smmix simulate --n 500 --coef "0.5,1.5; 1,2" --weights 0.4,0.6 -o sim.csv"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SmmixError(f"{message} (see {self.prog} --help).")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of the process by default.

    Returns
    -------
    int
        0; 1 for a fit that did not converge; 2 for a wrong call or bad input, which is
        described in one line on standard error.

    Examples
    --------
    >>> from smmix.cli import main
    >>> main(["simulate", "--n", "2", "--coef", "0,1;2,3", "--sigma", "0", "--unknown"])
    2
    """
    try:
        with _one_line_warnings():
            status = _dispatch(sys.argv[1:] if argv is None else list(argv))
            sys.stdout.flush()
            return status
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else WRONG
    except BrokenPipeError:
        # The reader has seen enough; the interpreter must not find the closed pipe again at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except SmmixError as error:
        say(f"error: {error}")
        return WRONG
    except OSError as error:
        say(f"error: {error.filename or 'output'}: {error.strerror or error}.")
        return WRONG
    except Exception as error:  # noqa: BLE001 - a formula may run any function and raise anything
        say(f"error: {type(error).__name__}: {error}")
        return WRONG


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        say(f"warning: {category.__name__}: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for aimed_at_programmers in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", aimed_at_programmers)
        warnings.showwarning = show
        yield


def _dispatch(argv: list[str]) -> int:
    parser = _Parser(
        prog="smmix",
        usage="smmix [--help] [--version] COMMAND ...",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("--help", "-h", action="help", help=argparse.SUPPRESS)
    version = f"smmix {smmix.__version__}"
    parser.add_argument("--version", action="version", version=version, help=argparse.SUPPRESS)
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    if not argv:
        parser.error(f"a command is missing: {', '.join(COMMANDS)}")
    command = parser.parse_args(argv[:1]).command
    describe, run = COMMANDS[command]
    own = _Parser(prog=f"smmix {command}", description=run.__doc__, allow_abbrev=False)
    describe(own)
    # Options may stand between FORMULA and FILE, which parse_args does not allow.
    return run(own.parse_intermixed_args(argv[1:]))


Command = tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]
COMMANDS: dict[str, Command] = {
    "fit": (options.describe_fit, run.fit),
    "select": (options.describe_select, run.select),
    "simulate": (options.describe_simulate, run.simulate),
    "predict": (options.describe_predict, run.predict),
    "ols": (options.describe_ols, run.ols),
}
