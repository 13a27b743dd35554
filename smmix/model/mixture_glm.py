"""Finite mixtures of regressions of any family, in the manner of statsmodels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smmix.core.family import Family
from smmix.formula import validate_arrays
from smmix.mixture.kind import Kind
from smmix.model.base import Parts
from smmix.model.mixture_ols import MixtureOLS
from smmix.model.outcomes import parts_of_formulas
from smmix.model.regression import MixtureRegression
from smmix.support.arguments import refuses_unknown

__all__ = ["MixtureGLM", "from_formula"]


class MixtureGLM(MixtureRegression):
    """Finite mixture of regressions whose components are of a family, or of several.

    Row i belongs to component c with probability pi_c(z_i), and then y_i has the distribution of
    the family with the linear predictor offset_i + log(exposure_i) + x_i'b_c.

    Parameters
    ----------
    endog : array_like, (n,)
        Response.
    exog : array_like, (n, p)
        Design of the component regressions; add the constant yourself, as in statsmodels.
    k : int
        Number of components.
    family : str, family, or list of these
        A name, an object of `smmix.families` or of ``statsmodels.genmod.families``, or a list
        with one for each component.
    exposure : array_like, (n,), optional
        Its log is added to the linear predictor.
    trials : array_like, (n,), optional
        Trials of a binomial response, of which ``endog`` are the successes.
    event : array_like, (n,), optional
        1 where a time ended with the event, 0 where it was cut off.
    shared : list of str, optional
        Parameters beside the coefficients, such as "alpha", that all components share.
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
        "equal" is ``shared=["sigma"]``.
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
        ``x1[0]``, ``alpha[0]`` (``alpha`` when it is shared), ``x2`` when common,
        ``mixing.z1[1]``.
    nobs : float
        Sum of the frequency weights; the number of rows without them.

    Raises
    ------
    SmmixError
        For bad data or options, in one sentence that names the column, row or argument.

    Notes
    -----
    ``params`` = [coefficients of component 0, .., k-1 | common coefficients | further parameters
    of the families | mixing logits of components 1, .., k-1], all but the logits on their natural
    scale. The method is described in [1]_ and [2]_.

    References
    ----------
    .. [1] Wedel, M. and DeSarbo, W. S. (1995). A mixture likelihood approach for generalized
       linear models. Journal of Classification 12, 21-55.
    .. [2] Gruen, B. and Leisch, F. (2008). FlexMix version 2. Journal of Statistical Software
       28 (4).

    Examples
    --------
    >>> import numpy as np
    >>> from smmix import MixtureGLM
    >>> y, x = [0.0, 1, 1, 9, 14, 22], np.column_stack([np.ones(6), [0, 1, 2, 0, 1, 2]])
    >>> MixtureGLM(y, x, k=2, family="poisson").param_names[:2]
    ['const[0]', 'x1[0]']
    """

    _own_arguments = ("family", "shared", "trials", "event")

    @refuses_unknown
    def __init__(
        self,
        endog: Any,
        exog: Any,
        k: int = 2,
        *,
        family: Any,
        exposure: Any = None,
        trials: Any = None,
        event: Any = None,
        shared: Sequence[str] | str | None = None,
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
        kind = Kind.of(family, k, variance, shared)
        design = validate_arrays(
            endog,
            exog,
            exog_concomitant=exog_concomitant,
            groups=groups,
            freq_weights=freq_weights,
            prob_weights=prob_weights,
            offset=offset,
            known=known,
            exposure=exposure,
            trials=trials,
            event=event,
            common=common,
            missing=missing,
        )
        super().__init__(
            Parts.of(design, k, kind=kind, fixed=fixed, present=present, hasconst=hasconst)
        )

    @property
    def family(self) -> Family:
        """Family of the components."""
        return self.specification.family

    @property
    def shared(self) -> list[str]:
        """Parameters beside the coefficients that all components share."""
        return sorted(self.specification.shared)

    @property
    def trials(self) -> Any:
        """Trials of each row, (n,)."""
        return self.design.trials

    @property
    def event(self) -> Any:
        """Whether the time of each row ended with the event, (n,)."""
        return self.design.event


@refuses_unknown
def from_formula(
    formula: str | Mapping[int, str] | Sequence[str],
    data: Any,
    k: int = 2,
    *,
    family: Any = "gaussian",
    exposure: Any = None,
    trials: Any = None,
    event: Any = None,
    error_variance: str | None = None,
    shared: Sequence[str] | str | None = None,
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
    outcomes: bool = False,
) -> MixtureOLS | MixtureGLM:
    """Build a model from formulas and a table.

    Parameters
    ----------
    formula : str, or dict or list with a str for each component
        ``"y ~ x1 + x2"`` in the language of patsy; with one formula for each component the
        components keep their numbers.
    data : DataFrame, polars frame, pyarrow table, dict of columns, or what is read in slabs
        `scan_parquet` of files, a DuckDB relation, or a Dask frame: rows that need not fit into
        memory.
    k : int
        Number of components.
    family : str, family, or list of these
        A name, an object of `smmix.families` or of ``statsmodels.genmod.families``, or a list
        with one for each component.
    exposure, trials, event, groups, freq_weights, prob_weights, offset, known : str or array_like
        A column of ``data``, or one value per row; see `MixtureGLM`.
    error_variance : str, optional
        Column, or expression such as "se**2", of the known variance of the error with which each
        response was measured: Gaussian components have it in addition to sigma squared, so that
        one component is a meta-regression (`smmix.families.MeasuredGaussian`).
    shared : list of str, optional
        Parameters beside the coefficients, such as "alpha", that all components share.
    concomitant : str, optional
        One-sided formula of the component probabilities; the "~" may be left out.
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
    outcomes : bool
        Whether ``formula`` lists outcomes, not components: each has a formula and a family of its
        own (``family`` is one for all, or a list with one for each), and given the component they
        are independent [1]_. Rows of a group, or the outcomes of one row, share the component. A
        row in which an outcome is missing still counts with the others. Parameters are called
        "bp:age[0]"; ``exposure``, ``trials``, ``event`` and ``offset`` are dicts, as
        {"visits": "years"}.

    Returns
    -------
    MixtureOLS, or MixtureGLM for any family but the Gaussian with identity link

    Raises
    ------
    SmmixError
        For bad input, in one sentence that names the column, row or argument.

    References
    ----------
    .. [1] Nagin, D. S., Jones, B. L., Passos, V. L. and Tremblay, R. E. (2018). Group-based
       multi-trajectory modeling. Statistical Methods in Medical Research 27, 2015-2023.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> smmix.from_formula("foodexp ~ income", data, k=2).param_names[-1]
    'mixing.Intercept[1]'
    >>> smmix.from_formula("foodexp ~ income", data, k=2, family="gamma").param_names[-3]
    'scale[0]'
    """
    parts, gaussian = parts_of_formulas(
        formula,
        data,
        k,
        outcomes=outcomes,
        family=family,
        error_variance=error_variance,
        variance=variance,
        shared=shared,
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
        exposure=exposure,
        trials=trials,
        event=event,
        common=common,
        subset=subset,
        missing=missing,
    )
    model: MixtureOLS | MixtureGLM = (MixtureOLS if gaussian else MixtureGLM)._of_parts(parts)
    return model


# The base class would build a model of one design.
MixtureGLM.from_formula = staticmethod(from_formula)  # type: ignore[method-assign, assignment]
