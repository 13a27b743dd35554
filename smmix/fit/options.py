"""The options of fit(), checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.mixture.specification import Specification
from smmix.search.control import SearchControl
from smmix.search.policy import FIT
from smmix.support.checks import MOST_RUNS, check_choice, check_whole, generator, shown
from smmix.support.frames import similar_names

__all__ = ["FitOptions"]

METHODS = ("em-newton", "em")


@dataclass(frozen=True)
class FitOptions:
    """The options of fit(), checked.

    Attributes
    ----------
    method, n_starts, starts, maxiter, gtol, order, threads, progress, callback, checkpoint
        As in `MixtureOLS.fit`.
    rng : Generator
    """

    method: str
    n_starts: int
    starts: Any
    maxiter: int
    gtol: float
    rng: np.random.Generator
    order: str | None
    threads: int | None
    progress: bool | None
    callback: Callable[[str, int, int, float], Any] | None
    checkpoint: str | Path | None = None

    @classmethod
    def checked(cls, specification: Specification, rng: Any, **options: Any) -> FitOptions:
        """The options, refused when one makes no sense for ``specification``."""
        method, order = options["method"], options["order"]
        check_choice("method", method, METHODS)
        check_whole("n_starts", options["n_starts"], most=MOST_RUNS)
        check_whole("maxiter", options["maxiter"])
        if options["threads"] is not None:
            check_whole("threads", options["threads"])
        if method == "em" and not specification.em_keeps_restrictions:
            raise SmmixError(
                "method='em' keeps restrictions of coefficients alone; leave method out."
            )
        gtol = options["gtol"]
        if not isinstance(gtol, float | int) or not 0.0 < gtol < 1.0:
            raise SmmixError(f"gtol must be a number between 0 and 1, not {shown(gtol)}.")
        further = [parameter.name for parameter in specification.family.nuisance]
        keys = ["weight", *specification.exog_names, *further]
        if order is not None and not (isinstance(order, str) and order in keys):
            raise SmmixError(
                f"order={shown(order)} must be None, 'weight' or the name of a coefficient"
                f"{similar_names(order, keys)}."
            )
        callback = options["callback"]
        if callback is not None and not callable(callback):
            raise SmmixError("callback must be a function of (stage, done, total, best).")
        if not isinstance(options.get("checkpoint"), str | Path | None):
            raise SmmixError(f"checkpoint must name a file, not {shown(options['checkpoint'])}.")
        return cls(rng=generator(rng), **options)

    def control(self, report: Callable[[str, int, int, float], None] | None) -> SearchControl:
        """What the search needs of them; reports go to the bar and to the callback."""
        told = [f for f in (report, self.callback) if f is not None]

        def tell(stage: str, done: int, total: int, best: float) -> None:
            for function in told:
                function(stage, min(done, total), total, best)

        return SearchControl(
            replace(FIT, n_starts=self.n_starts),
            method=self.method,
            maxiter=self.maxiter,
            gtol=float(self.gtol),
            progress=tell if told else None,
        )
