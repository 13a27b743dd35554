"""Finite mixtures of linear regressions in the manner of statsmodels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smmix.families.gaussian import Gaussian
from smmix.formula import validate_arrays
from smmix.mixture.kind import Kind
from smmix.model.base import Parts
from smmix.model.build import build_parts
from smmix.model.regression import MixtureRegression
from smmix.support.arguments import refuses_unknown

__all__ = ["MixtureOLS"]


class MixtureOLS(MixtureRegression):
    """Finite mixture of linear regressions with Gaussian errors.

    Row i belongs to component c with probability pi_c(z_i), and then
    y_i ~ N(offset_i + x_i'b_c, sigma_c^2).

    Parameters
    ----------
    endog : array_like, (n,)
        Response.
    exog : array_like, (n, p)
        Design of the component regressions; add the constant yourself, as in statsmodels.
    k : int
        Number of components.
    exog_concomitant : array_like, (n, q), optional
        Design of the multinomial logit model of the component probabilities, its constant
        included; component 0 is the base. With ``groups`` the first row of each group counts.
    groups : array_like, (n,), optional
        All rows of a group share one component (repeated measures).
    freq_weights : array_like, (n,), optional
        A weight of 2 is the row twice; a row of weight 0 is left out.
    prob_weights : array_like, (n,), optional
        Sampling weights, constant within groups. They are scaled to a mean of one, the
        log-likelihood becomes a pseudo log-likelihood, and standard errors are robust (HC0)
        unless another ``cov_type`` is asked for.
    offset : array_like, (n,), optional
        Added to the linear predictor of every component.
    known : array_like, (n,), optional
        Number of the component that a row is known to belong to; NaN where it is not known.
    variance : {"free", "equal"}
        Whether each component has its own sigma.
    common : list of str, optional
        Columns of ``exog`` whose coefficients all components share.
    fixed : dict, optional
        Parameter name to the value at which it is held, as ``{"x1[0]": 0.0}``.
    present : array_like of bool, (k, p), optional
        Which component has which column of ``exog``; by default all have all.
    missing : {"none", "raise", "drop"}
        What to do with rows that hold NaN: "none" and "raise" refuse them.
    hasconst : bool, optional
        As in statsmodels: whether ``exog`` has a constant; by default found out.

    Attributes
    ----------
    param_names : list of str
        ``x1[0]``, ``sigma[0]`` (``sigma`` when the variance is equal), ``x2`` when common,
        ``mixing.z1[1]``.
    nobs : float
        Sum of the frequency weights; the number of rows without them.

    Raises
    ------
    SmmixError
        For bad data or options, in one sentence that names the column, row or argument.

    Notes
    -----
    ``params`` = [coefficients of component 0, .., k-1 | common coefficients | sigma of each |
    mixing logits of components 1, .., k-1], sigma on its natural scale. Sigma is the maximum
    likelihood estimate, without a correction for degrees of freedom [1]_. For when the components
    are identified see [2]_.

    References
    ----------
    .. [1] DeSarbo, W. S. and Cron, W. L. (1988). A maximum likelihood methodology for clusterwise
       linear regression. Journal of Classification 5, 249-282.
    .. [2] Hennig, C. (2000). Identifiability of models for clusterwise linear regression.
       Journal of Classification 17, 273-296.

    Examples
    --------
    >>> import numpy as np
    >>> import statsmodels.api as sm
    >>> from smmix import MixtureOLS
    >>> data = sm.datasets.engel.load_pandas().data
    >>> model = MixtureOLS(data["foodexp"], sm.add_constant(data["income"]), k=2)
    >>> model.param_names[:2]
    ['const[0]', 'income[0]']
    """

    @refuses_unknown
    def __init__(
        self,
        endog: Any,
        exog: Any,
        k: int = 2,
        *,
        exog_concomitant: Any = None,
        groups: Any = None,
        freq_weights: Any = None,
        prob_weights: Any = None,
        offset: Any = None,
        known: Any = None,
        variance: str = "free",
        common: Sequence[str] | str | None = None,
        fixed: Mapping[str, float] | None = None,
        present: Any = None,
        missing: str = "none",
        hasconst: bool | None = None,
    ):
        design = validate_arrays(
            endog,
            exog,
            exog_concomitant=exog_concomitant,
            groups=groups,
            freq_weights=freq_weights,
            prob_weights=prob_weights,
            offset=offset,
            known=known,
            common=common,
            missing=missing,
        )
        kind = Kind.of(Gaussian(), k, variance, None)
        super().__init__(
            Parts.of(design, k, kind=kind, fixed=fixed, present=present, hasconst=hasconst)
        )

    @classmethod
    @refuses_unknown
    def from_formula(
        cls,
        formula: str | Mapping[int, str] | Sequence[str],
        data: Any,
        k: int = 2,
        *,
        concomitant: str | None = None,
        groups: Any = None,
        freq_weights: Any = None,
        prob_weights: Any = None,
        offset: Any = None,
        known: Any = None,
        variance: str = "free",
        random: str | None = None,
        random_cov: str = "free",
        common: Sequence[str] | str | None = None,
        fixed: Mapping[str, float] | None = None,
        subset: Any = None,
        missing: str = "drop",
        eval_env: int = 0,
        hasconst: bool | None = None,
    ) -> MixtureOLS:
        """Build a model from formulas and a table.

        Parameters
        ----------
        formula : str, or dict or list with a str for each component
            ``"y ~ x1 + x2"`` in the language of patsy; with one formula for each component the
            components keep their numbers.
        data : DataFrame, polars frame, pyarrow table, dict of columns, or what is read in slabs
            `scan_parquet` of files, or a Dask frame: rows that need not fit into memory.
        k : int
            Number of components.
        concomitant : str, optional
            One-sided formula of the component probabilities; the "~" may be left out.
        groups, freq_weights, prob_weights, offset, known : str or array_like, (n,), optional
            A column of ``data``, or one value per row; see `MixtureOLS`.
        variance, fixed, hasconst
            See `MixtureOLS`.
        common : list of str, or str, optional
            Terms whose coefficients all components share, as names or as a formula; those that
            ``formula`` lacks are added.
        random : str, optional
            One-sided formula of random effects inside the components, such as "~ 1 + age": person
            (group) g in component c has y_g ~ N(X b_c, Z D_c Z' + sigma_c^2 I), a growth mixture.
            Gaussian family, with ``groups``.
        random_cov : {"free", "equal", "diagonal"}
            Whether each component has its own D, all share one, or effects are independent.
        subset : str, mask, slice or list of labels, optional
            Rows of ``data`` to use.
        missing : {"drop", "raise", "none"}
            What to do with rows in which anything is missing: "drop" leaves them out, the others
            refuse them.
        eval_env : int
            Where functions in the formulas are looked up: 0 is the caller, 1 its caller, ..

        Returns
        -------
        MixtureOLS

        Raises
        ------
        SmmixError
            For bad input, in one sentence that names the column, row or argument.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> import smmix
        >>> data = sm.datasets.engel.load_pandas().data
        >>> smmix.from_formula("foodexp ~ income", data, k=2).param_names[-1]
        'mixing.Intercept[1]'
        """
        parts = build_parts(
            formula,
            data,
            k,
            kind=Kind.of(Gaussian(), k, variance, None),
            fixed=fixed,
            hasconst=hasconst,
            eval_env=eval_env,
            concomitant=concomitant,
            groups=groups,
            freq_weights=freq_weights,
            prob_weights=prob_weights,
            offset=offset,
            known=known,
            random=random,
            random_cov=random_cov,
            common=common,
            subset=subset,
            missing=missing,
        )
        model: MixtureOLS = cls._of_parts(parts)
        return model
