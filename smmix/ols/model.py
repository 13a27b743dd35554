"""Least squares by the normal equations as a model of statsmodels."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import WLS, RegressionModel, RegressionResultsWrapper
from statsmodels.tools.sm_exceptions import MissingDataError

from smmix.errors import SmmixError
from smmix.formula import build_design
from smmix.ols.inputs import column_names, constant_column, matrix, spans_constant, vector
from smmix.ols.results import NormalEquationResults
from smmix.ols.rows import ArrayRows, Rows
from smmix.ols.solve import Method, fit_rows, require_range, require_residual_df
from smmix.support.arguments import unknown
from smmix.support.checks import check_choice, check_flag, reason, shown
from smmix.support.frames import as_frame, is_pandas, is_single, numbers, plain

__all__ = ["NormalEquationOLS"]

#: Keywords that statsmodels attaches to a model made from a formula, in its several releases.
FROM_FORMULA = {"design_info", "formula", "missing_idx", "model_spec"}
#: Those that users give.
OWN = ["endog", "exog", "weights", "missing", "hasconst"]


class NormalEquationOLS(WLS):
    """Least squares by the normal equations, with the results of statsmodels.

    Parameters
    ----------
    endog : array_like, (n,)
        The response.
    exog : array_like, (n, p)
        The design; add the constant yourself, or use ``from_formula``.
    weights : array_like, (n,), optional
        Weights >= 0, proportional to one over the variance of each row, as of statsmodels' WLS.
        A row of weight zero counts as absent, from ``nobs`` and ``df_resid`` too, as in R's ``lm``
        (statsmodels' WLS counts it, and has no finite log-likelihood then).
    missing : {"none", "drop", "raise"}
        What to do with rows that have missing values.
    hasconst : bool, optional
        Whether the design has a constant, explicit or implicit; by default it is looked for.
    **kwargs
        What ``from_formula`` attaches.

    Raises
    ------
    SmmixError
        If values are missing or no numbers, or lengths or indices differ.

    See Also
    --------
    solve_normal_equations : the coefficients alone, also from data larger than memory.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from smmix.ols import NormalEquationOLS
    >>> data = sm.datasets.longley.load_pandas()
    >>> results = NormalEquationOLS(data.endog, sm.add_constant(data.exog)).fit()
    >>> print(f"{results.params['YEAR']:.11f} {results.bse['YEAR']:.12f}")
    1829.15146461355 455.478499142212
    """

    def __init__(
        self,
        endog: Any,
        exog: Any,
        weights: Any = None,
        missing: str = "none",
        hasconst: bool | None = None,
        **kwargs: Any,
    ) -> None:
        for name in sorted(set(kwargs) - FROM_FORMULA):
            raise unknown("NormalEquationOLS", name, OWN)
        check_choice("missing", missing, ("none", "drop", "raise"))
        check_flag("hasconst", hasconst, optional=True)
        if weights is not None:
            if is_single(weights) and not isinstance(weights, Real):
                raise SmmixError(f"weights must be one number for each row, not {shown(weights)}.")
            plain = is_single(weights) or is_pandas(weights)
            kwargs["weights"] = weights if plain else _numbers(weights, "weights")
        endog, exog = _readable(endog, exog)
        if "missing_idx" not in kwargs and not is_single(weights):
            if len(weights) != len(endog):
                raise SmmixError(f"weights has {len(weights)} values for {len(endog)} rows.")
            _refuse_other_index(weights, "weights", endog if is_pandas(endog) else exog)
        # statsmodels would look for an implicit constant by two singular value decompositions.
        try:
            RegressionModel.__init__(self, endog, exog, missing=missing, hasconst=False, **kwargs)
        except MissingDataError:
            raise SmmixError(
                "endog or exog has missing values: fill them, or say missing='drop'."
            ) from None
        if hasconst is None:
            self._init_keys.remove("hasconst")
        self.hasconst = hasconst
        self._find_constant(self._checked_rows().x, hasconst)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        subset: Any = None,
        drop_cols: Any = None,
        *args: Any,
        weights: Any = None,
        **kwargs: Any,
    ) -> NormalEquationOLS:
        """Model from a formula and a frame.

        Parameters
        ----------
        formula : str
            Such as "y ~ x1 + C(g)"; it has an intercept unless it says "- 1".
        data : DataFrame, or any other table that smmix reads
        subset : array_like, optional
            Rows of the frame to use.
        drop_cols : list of str, optional
            Columns of the design to leave out.
        weights : str or array_like, optional
            A column of ``data``, or one weight per row that is used.
        *args, **kwargs
            As of statsmodels, ``eval_env`` among them.

        Returns
        -------
        NormalEquationOLS

        Raises
        ------
        SmmixError
            If the formula cannot be read, names no column, or does not suit the data.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.ols import NormalEquationOLS
        >>> engel = sm.datasets.engel.load_pandas().data
        >>> NormalEquationOLS.from_formula("foodexp ~ income", engel).fit().params.round(4).tolist()
        [147.4754, 0.4852]
        """
        frame = _with_plain_columns(as_frame(data))
        if isinstance(weights, str):
            if weights not in frame.columns:
                raise SmmixError(f"weights: the data have no column {shown(weights)}.")
            weights = (frame if subset is None else frame.loc[subset])[weights]
        if weights is not None:
            kwargs["weights"] = weights if is_pandas(weights) else np.asarray(weights)
        depth = kwargs.pop("eval_env", None)
        if depth is None or (isinstance(depth, int) and depth >= 0):
            # This function stands between statsmodels' and the caller whose names are meant.
            depth = 2 if depth is None else depth + 1
        kwargs["eval_env"] = depth
        try:
            return super().from_formula(formula, frame, subset, drop_cols, *args, **kwargs)  # type: ignore[no-any-return]
        except SmmixError:
            raise
        except Exception as error:
            # patsy's errors are of several lines; what is wrong with a formula is said in one.
            env = max(depth - 1, 1) if isinstance(depth, int) else depth
            try:
                build_design(formula, frame, env=env)
            except SmmixError as reason:
                raise reason from None
            if isinstance(error, TypeError):
                raise
            why = str(error).partition("\n")[0]
            raise SmmixError(f"The formula {shown(formula)} cannot be built: {why}.") from error

    def initialize(self) -> None:
        """Set what does not depend on a fit."""
        weights = self.given_weights
        if weights is None:
            self.nobs = float(self.endog.shape[0])
        else:
            self.nobs = float(np.count_nonzero(weights))
        self.rank: int | None = None
        self._df_model: float | None = None
        self._df_resid: float | None = None

    @property
    def weights(self) -> np.ndarray | None:
        """Weight of each row, (n,)."""
        if self.given_weights is None and self.endog is not None:
            return np.ones(len(self.endog))
        return self.given_weights

    @weights.setter
    def weights(self, value: np.ndarray | None) -> None:
        self.__dict__["_weights"] = value

    @property
    def given_weights(self) -> np.ndarray | None:
        """Weights (n,), or None for a regression without."""
        return self.__dict__.get("_weights")

    def _checked_rows(self) -> Rows:
        x, _ = matrix(self.exog, "exog")
        weights = self.given_weights
        if weights is not None:
            weights = self.weights = vector(weights, len(x), "weights")
        return Rows(x, vector(self.endog, len(x), "endog"), weights)

    def whiten(self, x: np.ndarray) -> np.ndarray:
        """Multiply rows by the root of their weight; without weights, ``x`` itself.

        Parameters
        ----------
        x : ndarray, (n,) or (n, p)

        Returns
        -------
        ndarray, as ``x``

        Examples
        --------
        >>> import numpy as np
        >>> from smmix import NormalEquationOLS
        >>> model = NormalEquationOLS([6, 5, 7], [[1, 1], [1, 2], [1, 3]], weights=[1, 4, 9])
        >>> model.whiten(np.ones(3)).tolist()
        [1.0, 2.0, 3.0]
        """
        weights = self.given_weights
        if weights is None or x is None:
            return x
        return np.asarray((np.sqrt(weights) if x.ndim == 1 else np.sqrt(weights)[:, None]) * x)

    def _sums(self, params: Any) -> tuple[np.ndarray, float]:
        """X'W r (p,) and r'W r of the residuals r at some coefficients."""
        coef = np.asarray(params)
        residual = self.endog - self.exog @ coef
        weights = self.given_weights
        weighted = residual if weights is None else weights * residual
        return weighted @ self.exog, weighted @ residual

    def loglike(self, params: Any, scale: float | None = None) -> float:
        """Log-likelihood at some coefficients.

        Parameters
        ----------
        params : array_like, (p,)
        scale : float, optional
            Residual variance; by default the one that is most likely beside ``params``.

        Returns
        -------
        float

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> model = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]])
        >>> round(float(model.loglike([3.5, 1.4])), 4) == round(model.fit().llf, 4)
        True
        """
        ssr, half, weights = self._sums(params)[1], self.nobs / 2.0, self.given_weights
        if scale is None:
            value = -half * (np.log(2.0 * np.pi * ssr / self.nobs) + 1.0)
        else:
            value = -half * np.log(2.0 * np.pi * scale) - ssr / (2.0 * scale)
        return value if weights is None else value + 0.5 * np.log(weights[weights > 0.0]).sum()

    def score(self, params: Any, scale: float | None = None) -> np.ndarray:
        """Derivative of ``loglike`` by the coefficients.

        Parameters
        ----------
        params : array_like, (p,)
        scale : float, optional
            As for ``loglike``.

        Returns
        -------
        ndarray, (p,)

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> model = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]])
        >>> model.score([3.5, 1.0], scale=1.0).round(6).tolist()
        [4.0, 12.0]
        """
        xwr, ssr = self._sums(params)
        return np.asarray(xwr / (ssr / self.nobs if scale is None else scale))

    def hessian(self, params: Any, scale: float | None = None) -> np.ndarray:
        """Second derivative of ``loglike`` by the coefficients.

        Parameters
        ----------
        params : array_like, (p,)
        scale : float, optional
            As for ``loglike``.

        Returns
        -------
        ndarray, (p, p)
            Without ``scale``, that of the concentrated likelihood, ``-n X'WX / ssr`` at the
            estimates; statsmodels' OLS returns half of this.

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> model = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]])
        >>> model.hessian([3.5, 1.4], scale=2.0).tolist()
        [[-2.0, -5.0], [-5.0, -15.0]]
        """
        gram = self.wexog.T @ self.wexog
        if scale is not None:
            return np.asarray(-gram / scale)
        xwr, ssr = self._sums(params)
        score = xwr / ssr
        return np.asarray(self.nobs * (2.0 * np.outer(score, score) - gram / ssr))

    def information(self, params: Any) -> np.ndarray:
        """Observed information of the coefficients, minus ``hessian``.

        Parameters
        ----------
        params : array_like, (p,)

        Returns
        -------
        ndarray, (p, p)

        Examples
        --------
        >>> from smmix import NormalEquationOLS
        >>> model = NormalEquationOLS([6, 5, 7, 10], [[1, 1], [1, 2], [1, 3], [1, 4]])
        >>> bool((model.information([3.5, 1.4]) == -model.hessian([3.5, 1.4])).all())
        True
        """
        return -self.hessian(params)

    # The weighted copies are made when a statistic asks for them, because the fit needs none;
    # statsmodels assigns None to remove what it holds, and here nothing is held.
    @property
    def wexog(self) -> np.ndarray:
        """W^1/2 X, (n, p)."""
        return self.whiten(self.exog)

    @wexog.setter
    def wexog(self, value: None) -> None: ...

    @property
    def wendog(self) -> np.ndarray:
        """W^1/2 y, (n,)."""
        return self.whiten(self.endog)

    @wendog.setter
    def wendog(self, value: None) -> None: ...

    @property
    def pinv_wexog(self) -> np.ndarray | None:
        """Pseudo-inverse of W^1/2 X, (p, n); None before the fit."""
        if self.exog is None or self.rank is None:
            return None
        return np.asarray(self.normalized_cov_params @ self.wexog.T)

    @pinv_wexog.setter
    def pinv_wexog(self, value: None) -> None: ...

    def _labels(self) -> list[str] | None:
        """Names that the user gave to the columns, not those that statsmodels makes up."""
        columns = getattr(self.data.orig_exog, "columns", None)
        return None if columns is None else column_names(self.data.orig_exog)

    def _all_names(self) -> list[str]:
        # Looking for the constant, statsmodels squares columns that may be very large.
        with np.errstate(over="ignore"):
            return list(self.exog_names)

    def _find_constant(self, x: np.ndarray, hasconst: bool | None) -> None:
        """Where statsmodels keeps whether there is a constant, and its column."""
        position = None if hasconst is False else constant_column(x)
        found = position is not None or (hasconst is None and spans_constant(x))
        self.k_constant = self.data.k_constant = int(found or hasconst is True)
        self.data.const_idx = position

    def fit(  # type: ignore[override]
        self,
        method: Method = "auto",
        cov_type: str = "nonrobust",
        cov_kwds: dict[str, Any] | None = None,
        use_t: bool | None = None,
    ) -> RegressionResultsWrapper:
        """Fit by the normal equations.

        Parameters
        ----------
        method : {"auto", "cholesky", "qr", "lu"}
            As of ``solve_normal_equations``.
        cov_type, cov_kwds, use_t
            Covariance of the coefficients, as of statsmodels' OLS: "nonrobust", "HC0" to "HC3",
            "cluster", "HAC" and so on.

        Returns
        -------
        RegressionResultsWrapper
            statsmodels' results, a ``NormalEquationResults``.

        Raises
        ------
        SmmixError
            As ``solve_normal_equations``, and when there are no more rows than coefficients.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> from smmix.ols import NormalEquationOLS
        >>> engel = sm.datasets.engel.load_pandas().data
        >>> results = NormalEquationOLS.from_formula("foodexp ~ income", engel).fit(cov_type="HC1")
        >>> results.bse.round(3).tolist()
        [46.648, 0.052]
        """
        rows = self._checked_rows()
        fit = fit_rows(ArrayRows(rows, self._labels()), method)
        # A row of weight zero says nothing, and is none that a variance could be estimated from.
        fit = fit._replace(nobs=int(self.nobs))
        require_residual_df(fit.nobs, fit.rank)
        require_range(fit, rows.y, rows.weight, self._all_names)
        self.rank = fit.rank
        self._df_model = float(fit.rank - self.k_constant)
        self._df_resid = self.nobs - fit.rank
        self.normalized_cov_params = fit.inverse
        self.solution = fit
        try:
            # Robust covariances square scores, which may be beyond doubles where `fit` is not.
            with np.errstate(over="raise"):
                results = NormalEquationResults(
                    self,
                    fit.coef,
                    fit.inverse,
                    fit.rss / self._df_resid,
                    cov_type=cov_type,
                    cov_kwds=cov_kwds,
                    use_t=use_t,
                )
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise SmmixError(
                f"The covariance cannot be computed with cov_type={shown(cov_type)}, "
                f"cov_kwds={shown(cov_kwds)} and use_t={shown(use_t)}: {reason(error)}."
            ) from error
        return RegressionResultsWrapper(results)


def _with_plain_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns that patsy misreads, such as pd.NA among objects, in plain types."""
    if not any(_is_odd(column) for _, column in frame.items()):
        return frame
    columns = [plain(column) if _is_odd(column) else column for _, column in frame.items()]
    return pd.concat(columns, axis=1).set_axis(frame.columns, axis=1)


def _is_odd(column: pd.Series) -> bool:
    if isinstance(column.dtype, np.dtype):
        return column.dtype == np.dtype(object)
    return not isinstance(column.dtype, pd.CategoricalDtype) and bool(column.isna().any())


def _readable(endog: Any, exog: Any) -> tuple[Any, Any]:
    """Both in a form that statsmodels reads: pandas where there are labels, arrays of numbers."""
    values, names = matrix(exog, "exog")
    table: Any = values
    if names is not None:
        frame = as_frame(exog, "exog")
        # Numbers held as objects, or in another byte order, are no numbers to statsmodels.
        plain = all(
            isinstance(d, np.dtype) and d.isnative and d.kind in "iufb" for d in frame.dtypes
        )
        table = frame if plain else pd.DataFrame(values, frame.index, frame.columns)
    if isinstance(endog, pd.DataFrame) and endog.shape[1] == 1:
        endog = endog.iloc[:, 0]
    if isinstance(endog, pd.Series):
        endog = pd.Series(
            numbers(endog, "endog", endog.index, booleans=True), endog.index, name=endog.name
        )
    elif not isinstance(endog, pd.DataFrame):
        endog = _numbers(endog, "endog")
    if len(endog) != len(values):
        raise SmmixError(f"endog has {len(endog)} rows, but exog has {len(values)}.")
    if isinstance(table, pd.DataFrame) and not is_pandas(exog) and is_pandas(endog):
        # Other tables have no labels of their own.
        table = table.set_axis(endog.index)
    _refuse_other_index(table, "exog", endog)
    return endog, table


def _numbers(data: Any, what: str) -> np.ndarray:
    """Numbers (n,) from anything but pandas, or (n, m) where there are several columns."""
    values, _ = matrix(data, what)
    return values[:, 0] if values.shape[1] == 1 else values


def _refuse_other_index(given: Any, what: str, rows: Any) -> None:
    """Refuse values whose labels are not those of the rows."""
    if not (is_pandas(given) and is_pandas(rows)) or len(given) != len(rows):
        return
    if not given.index.equals(rows.index):
        raise SmmixError(
            f"The index of {what} differs from that of the rows; bring both into one order, as in "
            f"{what}.loc[endog.index]."
        )
