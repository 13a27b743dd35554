"""The test of Vuong, Lo, Mendell and Rubin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smmix.errors import SmmixError
from smmix.inference.nested import DATA, same_data, same_regressors
from smmix.mixture.evaluate import score_obs_at
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.order_tests.checks import checked_null, unwrapped
from smmix.order_tests.imhof import weighted_chi2_sf
from smmix.reporting.tables import MixtureSummary
from smmix.results import MixtureResults, MixtureResultsWrapper
from smmix.support.arguments import refuses_unknown

__all__ = ["VLMRTest", "vlmr_test"]

#: What the summary of every such test says.
JEFFRIES = (
    "Jeffries (2003) shows that the conditions of the theorem behind this test fail for mixtures: "
    "under the null hypothesis the p-value is not uniform. Prefer bootstrap_lrt."
)


@dataclass(frozen=True, eq=False)
class VLMRTest:
    """Outcome of `vlmr_test`.

    Attributes
    ----------
    statistic : float
        Likelihood ratio, 2 (llf1 - llf0).
    pvalue : float
        Of the statistic.
    adjusted : float
        Statistic with Lo, Mendell and Rubin's correction for small samples.
    pvalue_adjusted : float
        Of the adjusted statistic.
    df_diff : int
        Difference in free parameters.
    weights : ndarray
        Weights of the chi-squared variables whose sum is the reference distribution.
    k : tuple of int
        Components under the null hypothesis and the alternative.
    """

    statistic: float
    pvalue: float
    adjusted: float
    pvalue_adjusted: float
    df_diff: int
    weights: np.ndarray
    k: tuple[int, int]

    def summary(self) -> MixtureSummary:
        """The outcome of the test, with Jeffries' warning.

        Returns
        -------
        MixtureSummary
            Prints as text, HTML, LaTeX or CSV.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> one, two = (smmix.from_formula("foodexp ~ income", data, k=k).fit() for k in (1, 2))
        >>> test = smmix.vlmr_test(one, two)
        >>> test.summary().as_text().splitlines()[0].strip()
        'Vuong-Lo-Mendell-Rubin Test'
        """
        left = [
            ("Components, H0:", str(self.k[0])),
            ("Components, H1:", str(self.k[1])),
            ("Df difference:", str(self.df_diff)),
        ]
        right = [
            ("LR statistic:", f"{self.statistic:.3f}"),
            ("p-value:", f"{self.pvalue:.4f}"),
            ("Adjusted LR:", f"{self.adjusted:.3f}"),
            ("Adjusted p-value:", f"{self.pvalue_adjusted:.4f}"),
        ]
        return MixtureSummary("Vuong-Lo-Mendell-Rubin Test", left, right, [], [JEFFRIES])

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())


@refuses_unknown
def vlmr_test(
    results: MixtureResults | MixtureResultsWrapper,
    alternative: MixtureResults | MixtureResultsWrapper,
) -> VLMRTest:
    """Likelihood ratio test of k components by Vuong's distribution for unequal models.

    The likelihood ratio is referred to a weighted sum of chi-squared variables [1]_, [2]_.

    .. warning::
       Jeffries (2003) shows that the conditions of the theorem fail for mixtures: parameters of
       the extra component are not identified under the null hypothesis, so that the p-value is
       not uniform there [3]_. It is offered because other programs print it. Prefer
       `bootstrap_lrt`.

    Parameters
    ----------
    results : MixtureResults
        The fit under the null hypothesis.
    alternative : MixtureResults
        A fit of the same model with more components to the same data.

    Returns
    -------
    VLMRTest
        ``statistic``, ``pvalue``, ``adjusted``, ``pvalue_adjusted``, ``df_diff``, ``weights``.

    Raises
    ------
    SmmixError
        If the fits are not of the same data or have different regressors, the alternative has
        not more components or the lower log-likelihood, or its parameters are not identified; and
        with sampling weights.

    Notes
    -----
    The weights are the eigenvalues of Vuong's matrix of the mean Hessians and mean cross products
    of the scores of both models (for nested regular models they are ones and zeros); the tail is
    integrated by Imhof's method. The adjusted statistic is LR / (1 + 1 / (d log n)), d the
    difference in free parameters and n the observations.

    References
    ----------
    .. [1] Vuong, Q. H. (1989). Likelihood ratio tests for model selection and non-nested
       hypotheses. Econometrica 57, 307-333.
    .. [2] Lo, Y., Mendell, N. R. and Rubin, D. B. (2001). Testing the number of components in a
       normal mixture. Biometrika 88, 767-778.
    .. [3] Jeffries, N. O. (2003). A note on 'Testing the number of components in a normal
       mixture'. Biometrika 90, 991-994.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> from smmix.order_tests import vlmr_test
    >>> data = sm.datasets.engel.load_pandas().data
    >>> one, two = (smmix.from_formula("foodexp ~ income", data, k=k).fit() for k in (1, 2))
    >>> round(vlmr_test(one, two).statistic, 2)
    134.27
    """
    null = checked_null(results, "vlmr_test")
    more = unwrapped(alternative, "alternative")
    _check_pair(null, more)
    statistic = max(2.0 * (more.llf - null.llf), 0.0)
    df = int(more.n_free - null.n_free)
    adjusted = statistic / (1.0 + 1.0 / (df * float(np.log(null.nobs))))
    weights = vuong_weights(null, more)
    return VLMRTest(
        statistic,
        weighted_chi2_sf(statistic, weights),
        adjusted,
        weighted_chi2_sf(adjusted, weights),
        df,
        weights,
        (int(null.k), int(more.k)),
    )


def _check_pair(null: MixtureResults, more: MixtureResults) -> None:
    if more.k <= null.k or more.n_free <= null.n_free:
        raise SmmixError(
            f"The alternative has k={more.k} and the null hypothesis k={null.k}; give the fit with "
            "fewer components first."
        )
    if null.fitted.specification.sampled or more.fitted.specification.sampled:
        raise SmmixError(
            "With sampling weights the likelihood is a pseudo-likelihood, for which vlmr_test has "
            "no distribution; use bootstrap_lrt."
        )
    if not same_data(null.fitted.data, more.fitted.data, DATA[:-1]):
        raise SmmixError(
            "The fits are not of the same data: response, rows, weights, groups and offset must "
            "be the same."
        )
    if not same_regressors(null.fitted, more.fitted):
        raise SmmixError(
            "The fits have different regressors or concomitant variables, so they differ in more "
            "than the number of components; give fits of one formula, and compare formulas by "
            "their information criteria."
        )
    if more.llf < null.llf - 1e-6 * (1.0 + abs(null.llf)):
        raise SmmixError(
            f"The fit with k={more.k} has the lower log-likelihood ({more.llf:.6g} against "
            f"{null.llf:.6g}), so it missed its maximum; fit it again with more n_starts, or by "
            "select_k."
        )


def vuong_weights(null: Fit, more: Fit) -> np.ndarray:
    """Eigenvalues of Vuong's matrix, largest first."""
    scores, inverses = zip(*map(_score_and_inverse, map(fitted_of, (more, null))), strict=True)
    f, g = scores
    rows = [
        np.hstack([-f.T @ f @ inverses[0], -f.T @ g @ inverses[1]]),
        np.hstack([g.T @ f @ inverses[0], g.T @ g @ inverses[1]]),
    ]
    return np.sort(np.linalg.eigvals(np.vstack(rows)).real)[::-1]


def _score_and_inverse(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the observations and the inverse Hessian, along the free directions.

    A row of frequency weight w counts as w rows in the sum of cross products.
    """
    specification, data, info = fitted.specification, fitted.data, fitted.info
    assert info is not None, "results know their derivatives"
    full, visible = specification.tangent
    scores = score_obs_at(specification, data, fitted.params) @ visible
    if data.source.weight is not None:
        scores = scores / np.sqrt(data.source.weight)[:, None]
    hessian = full.T @ info.hessian @ full
    width = 1.0 / np.sqrt(np.maximum(-np.diag(hessian), np.finfo(float).tiny))
    scaled = hessian * width[:, None] * width
    if np.linalg.eigvalsh(-scaled)[0] < 1e-10:
        raise SmmixError(
            f"The parameters of the fit with k={fitted.k} are not identified (its information "
            "matrix is singular), so vlmr_test has no distribution; use bootstrap_lrt."
        )
    return scores, np.linalg.inv(scaled) * width[:, None] * width
