"""How certain the estimates of a mixture are: covariance, intervals, and tests."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.tools.sm_exceptions import ValueWarning

from smmix.core.linalg import scaled_inverse
from smmix.errors import SmmixError
from smmix.inference import covariance, terms
from smmix.inference.ratios import ratios
from smmix.mixture.hypotheses import (
    check_matrix,
    check_square,
    positions,
    read_hypotheses,
    refuse_beyond,
    refuse_contradiction,
)
from smmix.reporting.margins import Margins
from smmix.results.estimates import MixtureEstimates
from smmix.support.callers import user_level
from smmix.support.checks import check_flag, check_whole
from smmix.support.docstrings import documented_by

__all__ = ["MixtureUncertainty"]


class MixtureUncertainty(MixtureEstimates):
    """Covariance of the estimates, and the intervals and tests that rest on it.

    The part of `MixtureResults` that needs a covariance; users meet it there.
    """

    # -- covariance and intervals ---------------------------------------------------------------

    def cov_params(
        self,
        r_matrix: Any = None,
        column: Any = None,
        scale: float | None = None,
        cov_p: Any = None,
        other: Any = None,
    ) -> Any:
        """Covariance of the estimates, of the type ``results.cov_type``.

        Parameters
        ----------
        r_matrix : array_like, (r, V) or (V,), optional
            Linear combinations of the parameters whose covariance is wanted.
        column : int or str, or array_like of them, optional
            Positions or names of parameters whose covariance is wanted.
        scale : float, optional
            Factor of the covariance of the fit.
        cov_p : array_like, (V, V), optional
            Another covariance than that of the fit.
        other : array_like, (s, V), optional
            Linear combinations whose covariance with those of ``r_matrix`` is wanted.

        Returns
        -------
        DataFrame, (V, V)
            With ``r_matrix`` or ``column`` an ndarray, (r, r), or (r, s) with ``other``.

        Raises
        ------
        SmmixError
            If a matrix has not the right shape, or ``column`` stands for no parameter.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> covariance = results.cov_params()
        >>> float(covariance.loc["income[0]", "income[0]"] ** 0.5 / results.bse["income[0]"])
        1.0
        """
        names = self.model.param_names
        r_matrix = check_matrix("r_matrix", r_matrix, names)
        other = check_matrix("other", other, names)
        cov_p = check_square("cov_p", cov_p, names)
        if other is not None and r_matrix is None:
            raise SmmixError("other goes with r_matrix; give r_matrix, too.")
        if column is not None:
            if r_matrix is not None:
                raise SmmixError("Give r_matrix or column, not both.")
            places = positions("column", column, names)
            column = places[0] if np.isscalar(column) else places
        return super().cov_params(r_matrix, column, scale, cov_p, other)

    def conf_int(self, alpha: float = 0.05, cols: Any = None) -> Any:
        """Confidence intervals of the parameters, symmetric (Wald).

        Parameters
        ----------
        alpha : float
            The intervals have the level 1 - ``alpha``.
        cols : int or str, or array_like of them, optional
            Positions or names of the parameters wanted.

        Returns
        -------
        DataFrame, (V, 2)
            Lower and upper limits. For intervals that keep sigmas and weights where they have to
            be see `sigmas` and `proportions`; for those that follow the likelihood
            `profile_likelihood_ci`.

        Raises
        ------
        SmmixError
            If ``alpha`` is not between 0 and 1, or ``cols`` stands for no parameter.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> results.conf_int().loc["income[0]"].round(3).tolist()
        [0.634, 0.686]
        """
        limits = self.fitted.conf_int(alpha)
        if cols is None:
            return limits
        return limits[positions("cols", cols, self.model.param_names)]

    @documented_by(covariance.proportions)
    def proportions(self, alpha: float = 0.05) -> pd.DataFrame:
        return covariance.proportions(self.fitted, alpha)

    @documented_by(ratios)
    def ratios(self, alpha: float = 0.05) -> pd.DataFrame:
        return ratios(self.fitted, alpha)

    @documented_by(covariance.sigmas)
    def sigmas(self, alpha: float = 0.05) -> pd.DataFrame:
        return covariance.sigmas(self.fitted, alpha)

    @documented_by(terms.profile_likelihood_ci)
    def profile_likelihood_ci(self, name: str, alpha: float = 0.05) -> pd.Series:
        return terms.profile_likelihood_ci(self.fitted, name, alpha)

    @documented_by(terms.margins)
    def margins(self, alpha: float = 0.05, *, at: Any = None, dummy: bool = False) -> Margins:
        return Margins.of(terms.margins(self.fitted, alpha, at=at, dummy=dummy), self.fitted, at)

    # -- tests ----------------------------------------------------------------------------------

    def t_test(self, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None) -> Any:
        """Tests of linear hypotheses, one by one.

        Parameters
        ----------
        r_matrix : str, sequence of str, dict, array_like, DataFrame or tuple
            Text in the names of the parameters, such as ``"x1[0] = x1[1]"`` or ``"x1[0] = 2,
            x2[1] = 0"``; a dict of names and values; coefficients, (r, V) or (V,), whose
            combinations of the parameters are zero; or a tuple of these and the r values that
            they have instead. A DataFrame, or a Series for one hypothesis, is read by the names
            in its columns, or its index; parameters that it lacks have the coefficient zero.
        cov_p : array_like or DataFrame, (V, V), optional
            Another covariance than that of the fit.
        use_t : bool, optional
            Student's t in place of the normal distribution; by default as in the fit.

        Returns
        -------
        ContrastResults
            ``effect``, ``sd``, ``statistic``, ``pvalue``, `conf_int()` and `summary_frame()`. As
            in ``pvalues``, the p-value of a hypothesis that puts a parameter at the end of its
            range, such as a sigma at zero, is NaN.

        Raises
        ------
        SmmixError
            If a hypothesis names no parameter or cannot be read, a matrix has not the right shape
            or an entry that is not finite, or the fit has no covariance.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> test = results.t_test("income[0] = income[1]")
        >>> test.summary_frame().round(3).to_numpy().tolist()
        [[0.3, 0.021, 14.278, 0.0, 0.259, 0.341]]
        """
        matrix, values = read_hypotheses(r_matrix, self.model.param_names)
        cov_p = self._covariance_or(cov_p, matrix)
        check_flag("use_t", use_t, optional=True)
        test = super().t_test((matrix, values), cov_p, use_t)
        beyond = self.model.specification.parameters.beyond(matrix, values)
        test.pvalue = np.squeeze(np.where(beyond, np.nan, test.pvalue))
        return test

    def wald_test(
        self,
        r_matrix: Any,
        cov_p: Any = None,
        invcov: Any = None,
        use_f: bool | None = None,
        df_constraints: int | None = None,
        scalar: bool = True,
    ) -> Any:
        """Test of linear hypotheses together [1]_.

        Parameters
        ----------
        r_matrix : str, sequence of str, dict, array_like, DataFrame or tuple
            The hypotheses, as in `t_test`.
        cov_p : array_like or DataFrame, (V, V), optional
            Another covariance than that of the fit.
        invcov : array_like, (r, r), optional
            Inverse of the covariance of the hypotheses, in place of the one computed.
        use_f : bool, optional
            F in place of chi-squared; by default when the fit uses Student's t.
        df_constraints : int, optional
            Degrees of freedom, where they are not the number of hypotheses.
        scalar : bool
            Whether the statistic is a number and not an array.

        Returns
        -------
        ContrastResults
            ``statistic``, ``pvalue``, and ``df_denom``, the degrees of freedom of chi-squared.

        Raises
        ------
        SmmixError
            If a hypothesis names no parameter or cannot be read, a matrix has not the right shape
            or an entry that is not finite, the hypotheses contradict each other or put a parameter
            at the end of its range, or the fit has no covariance.

        References
        ----------
        .. [1] Wald, A. (1943). Tests of statistical hypotheses concerning several parameters when
           the number of observations is large. Transactions of the American Mathematical Society
           54, 426-482.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> test = results.wald_test("Intercept[0] = Intercept[1], income[0] = income[1]")
        >>> round(float(test.statistic), 1)
        304.0
        """
        table = self.model.specification.parameters
        matrix, values = read_hypotheses(r_matrix, table.names)
        refuse_contradiction(matrix, values, "r_matrix")
        refuse_beyond(table, matrix, values)
        check_flag("use_f", use_f, optional=True)
        check_flag("scalar", scalar)
        if df_constraints is not None:
            check_whole("df_constraints", df_constraints)
        cov_p = self._covariance_or(cov_p, matrix)
        invcov = check_square("invcov", invcov, [f"hypothesis {i}" for i in range(len(matrix))])
        if invcov is None:
            invcov, rank = scaled_inverse(matrix @ cov_p @ matrix.T)
            if rank < len(matrix):
                warnings.warn(
                    f"Of {len(matrix)} hypotheses only {rank} are independent.",
                    ValueWarning,
                    stacklevel=user_level(),
                )
            df_constraints = rank if df_constraints is None else df_constraints
        return super().wald_test((matrix, values), cov_p, invcov, use_f, df_constraints, scalar)

    def _covariance_or(self, cov_p: Any, contrast: np.ndarray) -> np.ndarray:
        """The covariance given for a test, or that of the fit."""
        given = check_square("cov_p", cov_p, self.model.param_names)
        if given is not None:
            return given
        for place, entry in zip(
            self.fitted.at_boundary,
            (entry for entry in self.fitted.boundary if entry.held),
            strict=True,
        ):
            if (contrast[:, place] != 0.0).any():
                raise SmmixError(
                    f"{entry.words} A test of it has no answer; compare the log-likelihood with "
                    "that of a fit where it is held, as with fixed=."
                )
        return self.fitted.required_covariance()

    def f_test(self, r_matrix: Any, cov_p: Any = None, invcov: Any = None) -> Any:
        """F test of linear hypotheses together: `wald_test` divided by their number.

        Parameters
        ----------
        r_matrix : str, sequence of str, dict, array_like, DataFrame or tuple
            The hypotheses, as in `t_test`.
        cov_p : array_like or DataFrame, (V, V), optional
            Another covariance than that of the fit.
        invcov : array_like, (r, r), optional
            Inverse of the covariance of the hypotheses, in place of the one computed.

        Returns
        -------
        ContrastResults
            ``statistic``, ``pvalue``, ``df_num`` and ``df_denom``.

        Raises
        ------
        SmmixError
            As `wald_test`.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
        >>> test = results.f_test("Intercept[0] = Intercept[1], income[0] = income[1]")
        >>> round(float(test.statistic), 1), int(test.df_num)
        (152.0, 2)
        """
        return self.wald_test(r_matrix, cov_p, invcov, use_f=True)

    @documented_by(terms.wald_test_terms)
    def wald_test_terms(
        self,
        skip_single: bool = False,
        extra_constraints: Sequence[tuple[str, Any]] | None = None,
        combine_terms: Sequence[str] | None = None,
        scalar: bool = True,
    ) -> Any:
        return terms.wald_test_terms(
            self.fitted, skip_single, extra_constraints, combine_terms, scalar
        )

    @documented_by(terms.pairwise)
    def pairwise(
        self, term: str | None = None, method: str | None = "hs", alpha: float = 0.05
    ) -> pd.DataFrame:
        return terms.pairwise(self.fitted, term, method, alpha)

    @documented_by(terms.compare_lr_test)
    def compare_lr_test(self, restricted: Any) -> terms.LRTest:
        return terms.compare_lr_test(self.fitted, restricted)

    # -- what statsmodels has and a mixture has not ---------------------------------------------

    @cached_property
    def covjac(self) -> np.ndarray | None:
        """Covariance from the outer product of the scores."""
        return self._another("opg")

    @cached_property
    def covjhj(self) -> np.ndarray | None:
        """Sandwich covariance."""
        return self._another("HC0")

    def _another(self, cov_type: str) -> np.ndarray | None:
        fitted = self.fitted
        assert fitted.directions is not None, "results know their derivatives"
        where = covariance.Estimate(
            fitted.specification, fitted.data, fitted.params, fitted.directions
        )
        return covariance.covariance(where, cov_type).matrix

    def t_test_pairwise(self, *args: Any, **kwargs: Any) -> None:
        """Not for mixtures: use `pairwise`."""
        raise NotImplementedError(
            "t_test_pairwise knows one set of coefficients; use pairwise(term), which compares "
            "components, or t_test with parameter names."
        )

    def get_nlfun(self, fun: Any) -> None:
        """Not for mixtures: use `bootstrap`."""
        raise NotImplementedError(
            "get_nlfun is not available; use bootstrap() for functions of the parameters."
        )
