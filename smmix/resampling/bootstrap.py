"""The bootstrap of a fitted mixture: replicates of the estimates, and what follows from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from smmix.core.transforms import Transform
from smmix.errors import SmmixError
from smmix.fit.run import one_blas_thread
from smmix.mixture.fitted import Fit, fitted_of
from smmix.resampling.replicates import Outcome, Replicator, Stop, batch_size, run_batches
from smmix.resampling.samples import Redraw, Resample, drawn_on_each_pass, resampling
from smmix.support.callers import user_level
from smmix.support.checks import MOST_RUNS, check_alpha, check_whole, generator, shown
from smmix.support.processes import processes_for
from smmix.support.progress import progress_bar

__all__ = ["Replicates", "bootstrap", "counted_reasons", "needed"]

INTERVALS = ("percentile", "basic", "normal")


@dataclass(frozen=True)
class Replicates:
    """Replicates of the estimates of a mixture, and what follows from them.

    Attributes
    ----------
    params : DataFrame, (B, V)
        Estimates of the replicates that could be fitted, components relabelled to those of the
        fit; the index is the number of the replicate.
    replicates : DataFrame
        Every replicate: ``llf``; ``status``, "converged" or why it failed; ``start``, where its
        fit came from: the "fit" to the data, a "rival mode" of it, or a "search" of its own.
    estimate : Series, (V,)
        The fit to the data.
    kind : str
        "parametric", "rows" or "groups".
    n_boot : int
        Replicates asked for; fewer were made when the bootstrap was interrupted.
    transforms : tuple of V Transform
        Coordinates in which each parameter may take any value: the log of a sigma, the logit of a
        probability.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> boot = results.bootstrap(n_boot=19)
    >>> boot.params.shape, boot.n_failed
    ((19, 7), 0)
    """

    params: pd.DataFrame
    replicates: pd.DataFrame
    estimate: pd.Series
    kind: str
    n_boot: int
    transforms: tuple[Transform, ...]

    @property
    def interrupted(self) -> bool:
        """Whether fewer replicates were made than asked for."""
        return len(self.replicates) < self.n_boot

    @property
    def n_failed(self) -> int:
        """Replicates that could not be fitted; they are in `replicates` but not in `params`."""
        return len(self.replicates) - len(self.params)

    @property
    def failures(self) -> pd.Series:
        """Why replicates failed, by their number."""
        status = self.replicates["status"]
        return status[status != "converged"]

    @property
    def bse(self) -> pd.Series:
        """Standard deviations of the replicates, the bootstrap's standard errors."""
        return self.params.std(ddof=1).rename("bse")

    @property
    def bias(self) -> pd.Series:
        """Mean of the replicates minus the estimate."""
        return (self.params.mean() - self.estimate).rename("bias")

    @property
    def cov(self) -> pd.DataFrame:
        """Covariance of the replicates, (V, V)."""
        return self.params.cov()

    def conf_int(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Confidence intervals of the parameters.

        Parameters
        ----------
        alpha : float
            The intervals have the level 1 - alpha.
        method : {"percentile", "basic", "normal"}
            "percentile": the quantiles of the replicates. "basic": twice the estimate less those
            quantiles. "normal": the estimate and multiples of the standard deviation of the
            replicates around it. The last two are made where a parameter may take any value, on
            the log of a scale and the logit of a probability, and given on the scale of
            ``params``; the first are the same on every scale. The quantile at p is the replicate
            of rank p (B + 1), so B = 199 or 999 suit the usual levels [1]_.

        Returns
        -------
        DataFrame, (V, 2)
            Columns 0 and 1, the lower and the upper limit.

        Raises
        ------
        SmmixError
            If ``alpha`` or ``method`` makes no sense, or the replicates are too few for alpha.

        References
        ----------
        .. [1] Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their Application.
           Cambridge University Press, chapter 5.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.bootstrap(n_boot=39).conf_int().shape
        (7, 2)
        """
        check_alpha(alpha)
        if not isinstance(method, str) or method not in INTERVALS:
            raise SmmixError(
                f"method must be 'percentile', 'basic' or 'normal', not {shown(method)}."
            )
        if method != "normal":
            limits = self._quantiles(alpha)
        if method != "percentile":
            estimate = self._working(self.estimate.to_numpy())
            with np.errstate(invalid="ignore"):
                if method == "basic":
                    limits = 2.0 * estimate - self._working(limits)[::-1]
                else:
                    spread = self._working(self.params.to_numpy()).std(axis=0, ddof=1)
                    reach = stats.norm.isf(alpha / 2.0) * spread
                    limits = np.stack([estimate - reach, estimate + reach])
            # Where replicates lie at the end of a range, nothing inside it is left out.
            limits = np.where(np.isnan(limits), [[-np.inf], [np.inf]], limits)
            limits = np.stack(
                [t.natural(v) for t, v in zip(self.transforms, limits.T, strict=True)], axis=1
            )
        return pd.DataFrame(limits.T, self.estimate.index)

    def _working(self, values: np.ndarray) -> np.ndarray:
        """Values (.., V) of the parameters where each may take any value."""
        with np.errstate(divide="ignore"):
            parts = [t.working(v) for t, v in zip(self.transforms, values.T, strict=True)]
        return np.stack(parts).T

    def _quantiles(self, alpha: float) -> np.ndarray:
        """Quantiles (2, V) of the replicates at alpha / 2 and 1 - alpha / 2."""
        if len(self.params) < needed(alpha):
            raise SmmixError(
                f"Quantiles for alpha={alpha:g} need at least {needed(alpha)} replicates; there "
                f"are {len(self.params)}: use method='normal' or a larger n_boot."
            )
        levels = [alpha / 2.0, 1.0 - alpha / 2.0]
        return np.asarray(np.quantile(self.params.to_numpy(), levels, axis=0, method="weibull"))

    def summary_frame(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Estimate, bias, standard error and interval of every parameter.

        Parameters
        ----------
        alpha, method
            See `conf_int`.

        Returns
        -------
        DataFrame, (V, 5)
            Columns estimate, bias, std_err, ci_lower, ci_upper.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> frame = results.bootstrap(n_boot=19).summary_frame(method="normal")
        >>> list(frame)
        ['estimate', 'bias', 'std_err', 'ci_lower', 'ci_upper']
        """
        limits = self.conf_int(alpha, method)
        return pd.DataFrame(
            {
                "estimate": self.estimate,
                "bias": self.bias,
                "std_err": self.bse,
                "ci_lower": limits[0],
                "ci_upper": limits[1],
            }
        )


def needed(alpha: float) -> int:
    """Least number of replicates whose quantiles at alpha / 2 and 1 - alpha / 2 are inside them."""
    return int(np.ceil(2.0 / alpha - 1e-9)) - 1


def bootstrap(
    results: Fit,
    n_boot: int = 199,
    kind: str = "parametric",
    rng: Any = 0,
    threads: int | None = None,
    progress: bool | None = None,
    *,
    n_starts: int = 0,
) -> Replicates:
    """Bootstrap a fitted mixture.

    Parameters
    ----------
    results : MixtureResults
    n_boot : int
        Replicates.
    kind : {"parametric", "rows", "groups"}
        "parametric": responses drawn from the fit, everything else as observed. "rows": the
        independent units drawn with replacement, with all that belongs to them: rows, or the
        groups of a model with groups. "groups": the same, refused without groups. Rows that are
        not in memory can be drawn, but get no new responses.
    rng : int, Generator, SeedSequence or None
        Seed. A replicate depends on the seed and its number alone.
    threads : int, optional
        Processes that share the replicates where they last some seconds; by default one for each
        processor. The result does not depend on it.
    progress : bool, optional
        As in `MixtureOLS.fit`.
    n_starts : int
        Starts of a search in every replicate, such as `MixtureOLS.fit` makes, beside the climb
        from the fit; by default fresh starts are made only where that climb fails.

    Returns
    -------
    Replicates

    Raises
    ------
    SmmixError
        If an argument makes no sense for the model, or fewer than two replicates can be fitted.

    Warns
    -----
    RuntimeWarning
        When replicates failed, or Ctrl-C ended the bootstrap; what was done is kept.

    Notes
    -----
    Every replicate is fitted from the estimates, and from sound rival modes of the data that are
    less than three standard errors of the difference in log-likelihood behind; the highest mode
    that is not degenerate counts. Where none of these climbs arrives at one, the replicate is
    climbed from fresh starts of all kinds. Its components are numbered so that their posteriors
    agree best with those of the fit, which is what keeps labels from switching [1]_.
    Replicates that cannot be fitted are counted, not replaced [2]_. Where another mode is the
    highest in some replicates, ``bse`` grows much more than the percentile intervals do.

    A row of frequency weight w is w rows: it gets w responses of its own ("parametric", which
    needs whole weights and memory for all observations), or is drawn w times as often ("rows").
    Sampling weights stay with their rows.

    Of rows that are not in memory, units are drawn by Poisson counts made anew on every pass
    [3]_, twenty replicates to a pass; replicates whose climbs fail are counted as failures.

    References
    ----------
    .. [1] McLachlan, G. J. and Peel, D. (2000). Finite Mixture Models. Wiley, section 2.16.
    .. [2] Basford, K. E., Greenway, D. R., McLachlan, G. J. and Peel, D. (1997). Standard errors
       of fitted component means of normal mixtures. Computational Statistics 12, 1-17.
    .. [3] Hanley, J. A. and MacGibbon, B. (2006). Creating non-parametric bootstrap samples using
       Poisson frequencies. Computer Methods and Programs in Biomedicine 83, 57-62.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> boot = results.bootstrap(n_boot=19, kind="rows")
    >>> robust = results.get_robustcov_results("bootstrap", replicates=boot.params)
    >>> bool(abs(robust.bse / boot.bse - 1).max() < 1e-12)
    True
    """
    check_whole("n_boot", n_boot, 2, MOST_RUNS)
    check_whole("n_starts", n_starts, 0, MOST_RUNS)
    processes = processes_for(threads)
    fitted = fitted_of(results)
    data = fitted.data
    seeds = _seeds(generator(rng), n_boot)
    stop = Stop()
    make: Resample | Redraw
    if data.in_memory:
        make = resampling(fitted, kind)
    else:
        make, processes = drawn_on_each_pass(data, kind), 1
        if n_starts:
            raise SmmixError(
                "n_starts searches every replicate, which needs the rows in memory; leave it out."
            )
    replicator = Replicator(fitted, make, n_starts, stop.check)
    size = batch_size(fitted)
    batches = [seeds[i : i + size] for i in range(0, n_boot, size)]
    with progress_bar(progress) as report, one_blas_thread():
        outcomes = run_batches(replicator.run, batches, processes, stop, report)
    kind = "groups" if kind != "parametric" and fitted.specification.grouped else kind
    params = pd.Series(fitted.params, fitted.specification.param_names)
    transforms = tuple(row.transform for row in fitted.specification.parameters.rows)
    found = _collected(outcomes, size, params, kind, n_boot, transforms)
    _warn_of(found)
    return found


def _seeds(rng: np.random.Generator, number: int) -> list[np.random.SeedSequence]:
    """A seed for each replicate, the same whatever the number of replicates."""
    entropy = rng.integers(1 << 32, size=8).tolist()
    return np.random.SeedSequence(entropy).spawn(number)


def _collected(
    outcomes: dict[int, Outcome],
    size: int,
    estimate: pd.Series,
    kind: str,
    n_boot: int,
    transforms: tuple[Transform, ...],
) -> Replicates:
    """The outcomes of all batches as one table."""
    numbers = sorted(outcomes)
    parts = [outcomes[i] for i in numbers]
    places = [i * size + np.arange(len(outcomes[i].status)) for i in numbers]
    index = pd.Index(np.concatenate(places), name="replicate")
    replicates = pd.DataFrame(
        {
            "llf": np.concatenate([part.loglike for part in parts]),
            "status": [status for part in parts for status in part.status],
            "start": [start for part in parts for start in part.start],
        },
        index,
    )
    good = (replicates["status"] == "converged").to_numpy()
    params = pd.DataFrame(
        np.concatenate([part.params for part in parts])[good], index[good], estimate.index
    )
    if len(params) < 2:
        why = "; ".join(counted_reasons(replicates["status"][~good]))
        raise SmmixError(
            f"Only {len(params)} of {len(replicates)} replicates could be fitted ({why}); use a "
            "model with fewer components or variance='equal'."
        )
    return Replicates(params, replicates, estimate, kind, n_boot, transforms)


def counted_reasons(failures: pd.Series) -> pd.Series:
    """How many replicates failed for each reason, whatever the numbers in it."""
    reasons = failures.mask(
        failures.str.startswith(("too few rows", "collapsed")),
        "a degenerate component (too few rows, or hardly any variance)",
    )
    return reasons.value_counts()


def _warn_of(found: Replicates) -> None:
    """What a user must know before using the replicates, pointing at the caller."""
    if found.interrupted:
        warnings.warn(
            f"The bootstrap was interrupted after {len(found.replicates)} of {found.n_boot} "
            "replicates; the result rests on these.",
            RuntimeWarning,
            stacklevel=user_level(),
        )
    if found.n_failed:
        reasons = counted_reasons(found.failures).items()
        why = "; ".join(f"{why}: {number}" for why, number in reasons)
        warnings.warn(
            f"{found.n_failed} of {len(found.replicates)} bootstrap replicates could not be "
            f"fitted and are left out ({why}); see bootstrap().failures.",
            RuntimeWarning,
            stacklevel=user_level(),
        )
