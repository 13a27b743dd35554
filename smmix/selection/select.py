"""How many components: fits with several k side by side, and the choice among them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.fit.estimable import check_estimable
from smmix.fit.from_fewer import Fewer, search_from_fewer
from smmix.fit.held_out import cross_validated, make_folds
from smmix.fit.options import FitOptions
from smmix.fit.warnings import warn_of
from smmix.inference.covariance import check_cov_type
from smmix.model import MixtureRegression, from_formula
from smmix.results import FitRecord, MixtureResults, MixtureResultsWrapper
from smmix.search.modes import Modes
from smmix.selection.options import (
    check_on_fit,
    checked_base,
    checked_criterion,
    defaults,
    numbers_of_components,
    refuse_parts,
    split,
)
from smmix.selection.orders import Orders
from smmix.selection.selection import Selection
from smmix.support.checks import generator
from smmix.support.progress import progress_bar

__all__ = ["Selection", "select_k"]

#: Columns of the table that come first, in this order.
FIRST = (
    "llf", "df", "aic", "bic", "icl", "entropy_r2", "min_weight", "converged", "hits", "price",
)  # fmt: skip
#: Criteria that are no log-likelihood of the data times -2 plus something.
UNPRICED = ("cv", "nec", "entropy", "entropy_r2")
#: A component with less than this share of the rows is pointed out.
TINY_SHARE = 0.05
#: With k="auto", fits beyond the best one before the scan ends.
PATIENCE = 2


@dataclass
class _Scan:
    """The fits made so far."""

    criterion: str
    fits: dict[int, MixtureResultsWrapper] = field(default_factory=dict)
    #: The fits before the orders of their components were lowered.
    searched: dict[int, MixtureResultsWrapper] = field(default_factory=dict)
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    caught: dict[int, list[warnings.WarningMessage]] = field(default_factory=dict)
    interrupted: bool = False

    def value(self, k: int, priced: bool = True) -> float:
        """The criterion, turned so that small values are better; infinite where degenerate."""
        value = float(self.rows[k][self.criterion])
        return self.turned(self.fits[k], value, priced)

    def turned(self, fit: MixtureResultsWrapper, value: float, priced: bool = True) -> float:
        """The same of any fit whose criterion is ``value``."""
        if fit.mode_found.degenerate:
            return np.inf
        if priced and self.criterion not in UNPRICED:
            value += 2.0 * fit.mode_found.price
        return -value if self.criterion == "cv" else value

    def warned(self, k: int) -> str:
        """What is doubtful about a fit, and whether it is its price that keeps it from the best."""
        text, fitted = str(self.rows[k]["warning"]), self.fits[k].fitted
        if not self.value(k, priced=False) < self.value(self.best_k, priced=False):
            return text
        told = (
            f"Without its price of {fitted.mode.price:.3g} it would be better than "
            f"k={self.best_k}: {fitted.said(fitted.mode.sharpest)}, which chance may explain."
        )
        return f"{told} {text}".strip()

    @property
    def best_k(self) -> int:
        return min(self.fits, key=lambda k: (self.value(k), k))

    def fewer(self, k: int) -> Fewer | None:
        """The fit with one component fewer, as starts are made from it."""
        if k - 1 not in self.searched:
            return None
        fit = self.searched[k - 1]
        return Fewer(fit.model.spec, fit.unpacked, fit.llf)

    def selection(self) -> Selection:
        rows = {k: {**row, "warning": self.warned(k)} for k, row in self.rows.items()}
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("k")
        others = [name for name in table.columns if name not in (*FIRST, "warning")]
        table = table[[*FIRST, *others, "warning"]]
        return Selection(table, self.criterion, self.best_k, self.fits, self.interrupted)


def select_k(
    formula: Any,
    data: Any = None,
    k: Iterable[int] | int | str = range(1, 6),
    *,
    criterion: str = "bic",
    folds: int = 5,
    orders: Any = None,
    on_fit: Callable[[MixtureResultsWrapper], Any] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Selection:
    """Fit mixtures with several numbers of components and choose among them.

    Each k is searched as fit() does, and from the fit with k - 1 components, of which each
    component in turn is doubled and the twins are moved apart: the log-likelihood never falls
    from k - 1 to k, unless the modes that are higher are chance lines by the rule. No fit is below
    that of fit() with the same ``rng``.

    Parameters
    ----------
    formula : str or MixtureOLS
        As in `from_formula`; or a model, whose data and options are taken.
    data : DataFrame, or any table that `from_formula` takes
        Leave it out when ``formula`` is a model.
    k : iterable of int, int or "auto"
        Numbers of components. "auto" goes up from 1 until the criterion has not improved for two
        further k, or the rows are too few for more.
    criterion : str
        "bic", "icl", "aic" or any other of `info_criteria`, of which small values are better, or
        "cv": the log-likelihood of each part of the data under the fit to the others.
    folds : int
        Parts for "cv".
    orders : tuple of int, or dict with one entry, optional
        Lowest and highest order of a polynomial in the formula's only term, as ``orders=(1, 3)``
        for ``"y ~ age"``, or in the one that is named, as ``orders={"age": (1, 3)}``. For each k
        all components begin at the highest order. The least significant highest power (Wald test,
        p above 0.05) is left out, and stays out if the criterion does not grow, until every
        component has what it needs. The model found is searched as any other.
    on_fit : callable, optional
        Called with the results of each fit as soon as there are any.
    progress : bool, optional
        True and False force a progress bar on and off.
    **options
        Further arguments of `from_formula` (``concomitant``, ``groups``, ``variance``, ..) and of
        `MixtureOLS.fit` (``n_starts``, ``rng``, ``threads``, ``cov_type``, ..).

    Returns
    -------
    Selection
        ``table``, ``best_k``, ``best``, ``fits``, ``summary()``, ``plot()``.

    Raises
    ------
    TypeError
        For an unknown option.
    SmmixError
        For an unknown criterion, or data that do not suffice for a k.

    Notes
    -----
    Which fit is degenerate, did not converge or has a tiny component is said in ``table`` and in
    the summary. A degenerate fit, whose likelihood means nothing, is never the best.

    With free variances a component may be a sharp line through rows that are in line by chance.
    What BIC forgets to charge for looking for it is its price (docs/methods, "Sharp components"),
    and -2 times the log-likelihood less the price enters the choice, whatever the criterion. The
    criteria in ``table`` are without the price, which has a column of its own. With theory
    behind it, BIC finds the number of components as n grows [1]_; ICL counts the components that
    the posteriors tell apart, which are fewer where components overlap [2]_; AIC takes too many.

    References
    ----------
    .. [1] Keribin, C. (2000). Consistent estimation of the order of mixture models. Sankhya A 62,
       49-66.
    .. [2] Biernacki, C., Celeux, G. and Govaert, G. (2000). Assessing a mixture model for
       clustering with the integrated completed likelihood. IEEE PAMI 22, 719-725.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from smmix.selection import select_k
    >>> data = sm.datasets.engel.load_pandas().data
    >>> select_k("foodexp ~ income", data, k=range(1, 5)).best_k
    3
    """
    build_with, fit_with = split(options)
    numbers, automatic = numbers_of_components(k), isinstance(k, str)
    check_on_fit(on_fit)
    polynomials = None if orders is None else Orders.of(formula, orders)
    if isinstance(formula, MixtureRegression):
        base = checked_base(formula, data, build_with)
    else:
        if not build_with.get("outcomes"):
            refuse_parts(formula)
        build_with["eval_env"] = build_with.get("eval_env", 0) + 1
        whole = formula if polynomials is None else polynomials.highest
        base = from_formula(whole, data, numbers[0], **build_with)
    search = _Searches(base, fit_with, checked_criterion(base, criterion), folds, polynomials)
    if not automatic:
        for number in numbers:
            model = search.model(number)
            check_estimable(model.specification, model.observed)
    scan = _Scan(criterion)
    with progress_bar(progress) as report:
        for number in numbers:
            try:
                search.fit(number, scan, report)
            except KeyboardInterrupt:
                if not scan.fits:
                    raise
                scan.interrupted = True
                break
            except SmmixError:
                if not automatic or not scan.fits:
                    raise
                break
            if on_fit is not None:
                on_fit(scan.fits[number])
            scan.interrupted = scan.fits[number].interrupted
            if scan.interrupted or (automatic and number >= scan.best_k + PATIENCE):
                break
    return _announced(scan)


def _announced(scan: _Scan) -> Selection:
    """The selection, after the warnings that the chosen fit deserves."""
    selection = scan.selection()
    for caught in scan.caught[selection.best_k]:
        warnings.warn_explicit(caught.message, caught.category, caught.filename, caught.lineno)
    return selection


class _Searches:
    """One model with any number of components, and how it is fitted."""

    def __init__(
        self,
        base: MixtureRegression,
        options: Mapping[str, Any],
        criterion: str,
        folds: int,
        orders: Orders | None,
    ):
        self.base, self.criterion, self.orders = base, criterion, orders
        if orders is not None:
            orders.check(base)
            if criterion == "cv":
                raise SmmixError("orders are verified by a criterion of one fit, not by 'cv'.")
        standard = defaults(MixtureRegression.fit)
        self.options = {**standard, **options}
        if self.options["cov_type"] is None:
            self.options["cov_type"] = "nonrobust" if base.prob_weights is None else "HC0"
        check_cov_type(self.options["cov_type"], self.options["cov_kwds"])
        self.folds: list[np.ndarray] = []
        if criterion == "cv":
            rng = generator(self.options["rng"])
            self.folds = make_folds(base.source.n_units, folds, rng)

    def model(self, k: int) -> MixtureRegression:
        """The model with ``k`` components."""
        return self.base.with_k(k)

    def fit(self, k: int, scan: _Scan, report: Any) -> None:
        """Fit ``k`` components and enter the fit into the scan."""
        model, fewer = self.model(k), scan.fewer(k)
        options = self._search_options(model)
        tell = None if report is None else _named(report, k)
        modes = search_from_fewer(model.specification, model.observed, fewer, options, tell)
        own: dict[str, Any] = {}
        if self.criterion == "cv":
            own["cv"] = cross_validated(model.specification, model.observed, options, self.folds)
        self._enter(model, modes, own, scan)
        scan.searched[k] = scan.fits[k]
        if self.orders is not None:
            self._lower(k, self.orders, scan)

    def _lower(self, k: int, orders: Orders, scan: _Scan) -> None:
        """Put the fit of lower orders in the place of that of the highest ones."""

        def value(fit: MixtureResultsWrapper) -> float:
            return scan.turned(fit, fit.info_criteria(self.criterion))

        # What is doubtful about fits on the way does not matter.
        with _caught():
            found = orders.lowered(scan.fits[k], value, {**self.options, "progress": False})
        self._enter(found.model, found.record.modes, {"orders": orders.told(found)}, scan)

    def _search_options(self, model: MixtureRegression) -> FitOptions:
        names = ("method", "n_starts", "starts", "maxiter", "gtol", "order", "threads", "callback")
        taken = {name: self.options[name] for name in names}
        return FitOptions.checked(model.specification, self.options["rng"], progress=False, **taken)

    def _enter(
        self, model: MixtureRegression, modes: Modes, own: Mapping[str, Any], scan: _Scan
    ) -> None:
        """Enter the fit at some modes into the scan, with what its row says besides."""
        given = self.options
        with _caught() as caught:
            record = FitRecord(modes, given["method"], given["order"])
            results = MixtureResults(
                model, record, modes.selected, given["cov_type"], given["cov_kwds"], given["use_t"]
            )
            warn_of(results.fitted)
        warned = [str(warning.message) for warning in caught]
        scan.rows[model.k] = {**describe_fit(results, warned), **own}
        scan.fits[model.k], scan.caught[model.k] = MixtureResultsWrapper(results), caught


def _named(report: Any, k: int) -> Callable[[str, int, int, float], None]:
    def tell(stage: str, done: int, total: int, best: float) -> None:
        report(f"k={k}: {stage}", done, total, best)

    return tell


@contextmanager
def _caught() -> Iterator[list[warnings.WarningMessage]]:
    """Warnings of one fit; they stand in the table, and those of the chosen fit are given."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def describe_fit(results: MixtureResults, warned: list[str]) -> dict[str, Any]:
    """A row of the table.

    Parameters
    ----------
    results : MixtureResults
    warned : list of str
        What was warned of while the results were made, in sentences.
    """
    share = float(results.mixing_weights.min())
    mode, doubts = results.mode_found, [*warned]
    if share < TINY_SHARE:
        doubts.append(f"A component has {100.0 * share:.1f} % of the rows.")
    criteria = results.info_criteria()
    return {
        "llf": results.llf,
        "df": int(results.n_free),
        **criteria.to_dict(),
        "min_weight": share,
        "converged": bool(results.converged),
        "hits": int(mode.hits),
        "price": float(mode.price),
        "warning": " ".join(doubts),
    }
