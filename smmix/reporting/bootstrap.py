"""Replicates of a bootstrap that print themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from statsmodels.iolib.summary import forg

from smmix.reporting.tables import MixtureSummary, Section
from smmix.resampling.bootstrap import Replicates, counted_reasons, needed
from smmix.support.frames import counted

__all__ = ["BootstrapResults"]

WHAT = {
    "parametric": "responses drawn from the fit",
    "rows": "rows drawn with replacement",
    "groups": "groups drawn with replacement",
}


@dataclass(frozen=True)
class BootstrapResults(Replicates):
    """Replicates of the estimates of a mixture, as ``results.bootstrap()`` gives them.

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
        Coordinates in which each parameter may take any value.

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

    def summary(self, alpha: float = 0.05, method: str = "percentile") -> MixtureSummary:
        """Estimate, bias, standard error and interval of every parameter.

        Parameters
        ----------
        alpha, method
            See `conf_int`. Of intervals that need more replicates there is a note in their place.

        Returns
        -------
        MixtureSummary
            Prints as text, HTML, LaTeX or CSV.

        Raises
        ------
        SmmixError
            As `conf_int`.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.bootstrap(n_boot=19).summary().as_text().splitlines()[0].strip()
        'Bootstrap'
        """
        notes = [f"Replicates are {WHAT[self.kind]}."]
        if method != "normal" and len(self.params) < needed(alpha):
            frame = self.summary_frame(alpha, "normal")
            frame[["ci_lower", "ci_upper"]] = np.nan
            notes.append(f"Intervals of quantiles need at least {needed(alpha)} replicates.")
        else:
            frame = self.summary_frame(alpha, method)
        rows = [
            [str(name), *("" if np.isnan(value) else forg(value, 4) for value in row)]
            for name, row in frame.iterrows()
        ]
        header = ["", "coef", "bias", "std err", f"[{alpha / 2:g}", f"{1 - alpha / 2:g}]"]
        left = [("Replicates:", f"{len(self.params)} of {len(self.replicates)}")]
        right = [("Intervals:", method)]
        if self.interrupted:
            notes.append(f"Interrupted before all {self.n_boot} replicates were made.")
        others = self.replicates.loc[self.params.index, "start"].value_counts()
        for start, number in others.drop("fit", errors="ignore").items():
            which = counted(number, "replicate")
            notes.append(f"{which} fitted from a {start} rather than from the fit.")
        notes += [
            f"{number} failed: {why}." for why, number in counted_reasons(self.failures).items()
        ]
        return MixtureSummary("Bootstrap", left, right, [[Section(header, rows)]], notes)

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())
