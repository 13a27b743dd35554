"""The pages of the methods of results: one for each, complete, with an example that runs.

Most methods hand their work to a function, whose docstring says everything; the page of the method
shows that, without the argument that the method supplies. The others are documented here, those
that come from statsmodels among them, whose own examples are of other models.
"""

import inspect
import re
import types

from smmix import (
    MixtureResults,
    bootstrap,
    covariance,
    draws,
    inference,
    intervals,
    persistence,
    plots,
    report,
    summary,
)

#: Functions that do the work of the methods.
WORKERS = {
    "bootstrap": bootstrap.bootstrap,
    "compare_lr_test": inference.compare_lr_test,
    "get_influence": intervals.influence,
    "get_prediction": intervals.get_prediction,
    "margins": inference.margins,
    "pairwise": inference.pairwise,
    "plot_coef": plots.plot_coef,
    "plot_fit": plots.plot_fit,
    "plot_posterior": plots.plot_posterior,
    "plot_residuals": plots.plot_residuals,
    "plot_starts": plots.plot_starts,
    "profile_likelihood_ci": inference.profile_likelihood_ci,
    "proportions": covariance.proportions,
    "report": report.report,
    "sigmas": covariance.sigmas,
    "simulate": draws.simulate,
    "summary": summary.summarize,
    "to_json": persistence.to_json,
    "wald_test_terms": inference.wald_test_terms,
}
#: Methods that only say what to use instead, and what statsmodels needs inside.
UNLISTED = {"get_nlfun", "initialize", "normalized_cov_params", "t_test_pairwise"}

FIT = """
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
"""
HYPOTHESES = """
    r_matrix : str, sequence of str, or array_like, (r, V)
        Linear hypotheses in the names of the parameters, such as ``"x1[0] = x1[1]"`` or
        ``"x1[0] = 2, x2[1] = 0"``; or their coefficients, one row for each, equal to zero.
    cov_p : array_like, (V, V), optional
        Another covariance than that of the fit.
"""
USE_T = """
    use_t : bool, optional
        Student's t in place of the normal distribution.
"""

OWN = {
    "classification_table": """
    How well the units (rows, or groups of them) are told apart, by component.

    Returns
    -------
    DataFrame, (k, 5)
        ``share``, the mixing weight; ``expected_n``, the sum of the posteriors; ``assigned_n``,
        units whose highest posterior is this component's; ``avepp``, their average posterior of
        it, above 0.7 as a usual rule; ``occ``, the odds of a correct assignment relative to
        guessing by the shares, above 5 as a usual rule [1]_.

    References
    ----------
    .. [1] Nagin, D. S. (2005). Group-Based Modeling of Development. Harvard University Press.

    Examples
    --------FIT
    >>> results.classification_table().round(2)
               share  expected_n  assigned_n  avepp    occ
    component
    0           0.65      151.95       190.0   0.76   1.76
    1           0.35       83.05        45.0   0.85  10.08
    """,
    "conf_int": """
    Confidence intervals of the parameters, symmetric (Wald).

    Parameters
    ----------
    alpha : float
        The intervals have the level 1 - ``alpha``.
    cols : array_like of int, optional
        Positions of the parameters wanted.

    Returns
    -------
    DataFrame, (V, 2)
        Lower and upper limits. For intervals that keep sigmas and weights where they have to be
        see `sigmas` and `proportions`; for those that follow the likelihood
        `profile_likelihood_ci`.

    Examples
    --------FIT
    >>> results.conf_int().loc["income[0]"].round(3).tolist()
    [0.634, 0.686]
    """,
    "cov_params": """
    Covariance of the estimates, of the type ``results.cov_type``.

    Parameters
    ----------
    r_matrix : array_like, (r, V), optional
        Linear combinations of the parameters whose covariance is wanted.
    column : array_like of int, optional
        Positions of parameters whose covariance is wanted.
    scale, cov_p, other : optional
        As in statsmodels.

    Returns
    -------
    DataFrame, (V, V), or ndarray with ``r_matrix`` or ``column``

    Examples
    --------FIT
    >>> covariance = results.cov_params()
    >>> float(covariance.loc["income[0]", "income[0]"] ** 0.5 / results.bse["income[0]"])
    1.0
    """,
    "f_test": """
    F test of linear hypotheses together: `wald_test` divided by their number.

    Parameters
    ----------HYPOTHESES
    invcov : array_like, optional
        Inverse of the covariance of the hypotheses.

    Returns
    -------
    ContrastResults

    Examples
    --------FIT
    >>> test = results.f_test("Intercept[0] = Intercept[1], income[0] = income[1]")
    >>> round(float(test.statistic), 1), int(test.df_num)
    (152.0, 2)
    """,
    "get_robustcov_results": """
    The same estimates with another covariance.

    Parameters
    ----------
    cov_type : {"nonrobust", "oim", "opg", "HC0", "HC1", "cluster", "bootstrap"}
        See the table in the guide to standard errors; "cluster" takes ``groups=``, "bootstrap"
        takes ``replicates=``.
    use_t : bool, optional
        Student's t in place of the normal distribution.
    **cov_kwds
        As ``cov_kwds`` of `MixtureOLS.fit`.

    Returns
    -------
    MixtureResults

    Raises
    ------
    SmmixError
        If the type is unknown, or lacks an argument.

    Examples
    --------FIT
    >>> robust = results.get_robustcov_results("HC0")
    >>> robust.bse.loc[["income[0]", "income[1]"]].round(3).tolist()
    [0.024, 0.032]
    """,
    "info_criteria": """
    All information criteria, or one of them.

    Parameters
    ----------
    crit : str, optional
        Name of a criterion; by default all.
    dk_params : float
        Added to the number of free parameters.

    Returns
    -------
    Series, or float with ``crit``

    Raises
    ------
    SmmixError
        If there is no criterion of that name.

    Examples
    --------FIT
    >>> results.info_criteria()[["aic", "bic", "icl"]].round(1).tolist()
    [2771.1, 2795.3, 2919.8]
    >>> results.info_criteria("bic") == results.bic
    True
    """,
    "load": """
    Results from a file that `save` wrote.

    It is a pickle: load only files that you trust. `smmix.read_json` reads what `to_json` wrote,
    in which no code can hide.

    Parameters
    ----------
    fname : str or Path

    Returns
    -------
    MixtureResults

    Examples
    --------FIT
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.pickle"
    >>> results.save(path)
    >>> bool((smmix.MixtureResults.load(path).params == results.params).all())
    True
    """,
    "mode": """
    Another mode as results of their own, to be read and compared like any fit.

    Parameters
    ----------
    i : int
        Row of `starts`.

    Returns
    -------
    MixtureResults
        With the same type of covariance.

    Raises
    ------
    SmmixError
        If `starts` has no such row.

    Examples
    --------FIT
    >>> rival = results.mode(1)
    >>> round(rival.llf, 2), round(results.llf, 2)
    (-1379.16, -1378.54)
    """,
    "remove_data": """
    Take the data out of results and model, for a small pickle; in place.

    The summary, tests, and predictions for new rows stay possible. What needs the rows of the fit
    (posteriors, residuals, pictures, the bootstrap) then says so.

    Examples
    --------FIT
    >>> results.remove_data()
    >>> results.predict({"income": [1000]}).round(2).tolist()
    [645.31]
    """,
    "save": """
    Write the results as a pickle, the data included.

    Parameters
    ----------
    fname : str or Path
    remove_data : bool
        Whether to take the data out first.

    Examples
    --------FIT
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.pickle"
    >>> results.save(path, remove_data=True)
    >>> smmix.MixtureResults.load(path).nobs
    235
    """,
    "t_test": """
    Tests of linear hypotheses, one by one.

    Parameters
    ----------HYPOTHESESUSE_T
    Returns
    -------
    ContrastResults
        ``effect``, ``sd``, ``statistic``, ``pvalue``, `conf_int()` and `summary_frame()`.

    Raises
    ------
    SmmixError
        If a hypothesis names no parameter or cannot be read.

    Examples
    --------FIT
    >>> results.t_test("income[0] = income[1]").summary_frame().round(3).to_numpy().tolist()
    [[0.3, 0.021, 14.278, 0.0, 0.259, 0.341]]
    """,
    "wald_test": """
    Test of linear hypotheses together.

    Parameters
    ----------HYPOTHESES
    invcov : array_like, optional
        Inverse of the covariance of the hypotheses.
    use_f : bool, optional
        F in place of chi-squared.
    df_constraints : int, optional
        Number of hypotheses, where it is not that of the rows.
    scalar : bool
        Whether the statistic is a number and not an array.

    Returns
    -------
    ContrastResults
        ``statistic``, ``pvalue``, ``df_denom``.

    Raises
    ------
    SmmixError
        If a hypothesis names no parameter or cannot be read.

    Examples
    --------FIT
    >>> test = results.wald_test("Intercept[0] = Intercept[1], income[0] = income[1]")
    >>> round(float(test.statistic), 1)
    304.0
    """,
}


def listed() -> list[str]:
    """The public methods of results."""
    names = [n for n in dir(MixtureResults) if not n.startswith("_") and n not in UNLISTED]
    static = {name: inspect.getattr_static(MixtureResults, name) for name in names}
    kinds = (types.FunctionType, classmethod)
    return [name for name, value in static.items() if isinstance(value, kinds)]


def docstring(name: str) -> str:
    """What the page of a method shows."""
    if name in OWN:
        text = OWN[name].replace("HYPOTHESES", HYPOTHESES.rstrip())
        return inspect.cleandoc(text.replace("USE_T", USE_T).replace("FIT", FIT.rstrip()))
    text = inspect.getdoc(WORKERS.get(name, getattr(MixtureResults, name))) or ""
    text = re.sub(r"^results : MixtureResults\n(?: {4}.*\n)*", "", text, flags=re.M)
    return re.sub(r"^Parameters\n-+\n\n", "", text, flags=re.M)


def complete(app, what, name, obj, options, lines):
    start, _, method = name.rpartition(".")
    if start == "smmix.MixtureResults" and what == "method":
        lines[:] = docstring(method).split("\n")


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    # Before numpydoc, which reads the sections.
    app.connect("autodoc-process-docstring", complete, priority=100)
    return {"parallel_read_safe": True}
