"""A bar on standard error for work that lasts, shown only where somebody looks."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from smmix.support.checks import check_flag

__all__ = ["Report", "progress_bar"]

#: Called with (stage, done, total, best log-likelihood so far); NaN where there is no best.
Report = Callable[[str, int, int, float], None]

#: Seconds after which work counts as lasting.
DELAY = 2.0


def _is_watched() -> bool:
    """Whether standard error is a terminal, or the code runs in a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        return True
    return bool(getattr(sys.stderr, "isatty", lambda: False)())


class _Bar:
    """A tqdm bar that appears with the first report after a delay, the same for all stages."""

    def __init__(self, delay: float):
        self.due = time.monotonic() + delay
        self.bar: Any = None
        self.stage = ""

    def __call__(self, stage: str, done: int, total: int, best: float) -> None:
        if time.monotonic() < self.due:
            return
        if self.bar is None:
            with warnings.catch_warnings():
                # In a notebook without ipywidgets tqdm warns, and draws with text.
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm

            self.bar = tqdm(total=total, leave=False, file=sys.stderr)
        if stage != self.stage:
            self.stage = stage
            self.bar.reset(total)
            self.bar.set_description(stage)
        self.bar.total = total
        if not math.isnan(best):
            self.bar.set_postfix_str(f"log-likelihood {best:.6g}", refresh=False)
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


@contextmanager
def progress_bar(progress: bool | None) -> Iterator[Report | None]:
    """Report progress on standard error.

    Parameters
    ----------
    progress : bool or None
        True shows a bar at once, False never; None shows one when standard error is a terminal
        (or in a notebook) and the work has lasted two seconds.

    Yields
    ------
    callable or None
        To be called with (stage, done, total, best log-likelihood); None when nothing is shown.

    Examples
    --------
    >>> from smmix.support.progress import progress_bar
    >>> with progress_bar(False) as report:
    ...     print(report)
    None
    """
    check_flag("progress", progress, optional=True)
    if progress is False or (progress is None and not _is_watched()):
        yield None
        return
    bar = _Bar(0.0 if progress else DELAY)
    try:
        yield bar
    finally:
        bar.close()
