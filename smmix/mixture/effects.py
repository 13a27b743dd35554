"""Random effects of groups: what is predicted of them, and with them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from smmix.core.blocks import Block
from smmix.core.memory import group_starts
from smmix.core.params import MixtureParams
from smmix.core.random_effects import RandomEffects
from smmix.errors import SmmixError
from smmix.mixture.evaluate import posterior_at
from smmix.mixture.fitted import Fit, fitted_of
from smmix.mixture.observed import Observed
from smmix.mixture.rows import Rows, own_rows
from smmix.mixture.specification import Specification

__all__ = ["conditional_means", "group_densities", "random_cov", "random_effects"]

#: What the columns of effects averaged over the components are called.
AVERAGE = "average"


def random_cov(fit: Fit) -> pd.DataFrame:
    """Covariance matrices of the random effects; that of component c is ``.loc[c]``.

    Returns
    -------
    DataFrame, (k q) x q

    Raises
    ------
    SmmixError
        If the model has no random effects.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> model = smmix.from_formula("invest ~ value", data, k=1, groups="firm", random="~ 1")
    >>> model.fit().random_cov.shape
    (1, 1)
    """
    fitted = fitted_of(fit)
    random = _random(fitted.specification)
    matrices = random.matrix(fitted.unpacked.nuisance[0, :, 1:])
    index = pd.MultiIndex.from_product(
        [fitted.components, random.names], names=["component", "effect"]
    )
    columns = pd.Index(random.names, name="effect")
    return pd.DataFrame(matrices.reshape(-1, random.q), index, columns)


def random_effects(fit: Fit) -> pd.DataFrame:
    """Best linear unbiased predictions of the random effects of the groups of the fit.

    Returns
    -------
    DataFrame, n_groups x ((k + 1) q)
        Columns (c, effect): what is predicted for a group if it belongs to component c; and
        ("average", effect): these averaged with its posterior probabilities.

    Raises
    ------
    SmmixError
        If the model has no random effects, or its rows are gone.

    References
    ----------
    .. [1] Robinson, G. K. (1991). That BLUP is a good thing: the estimation of random effects.
       Statistical Science 6, 15-32.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.grunfeld.load_pandas().data
    >>> model = smmix.from_formula("invest ~ value", data, k=1, groups="firm", random="~ 1")
    >>> list(model.fit().random_effects.columns)
    [(0, 'Intercept'), ('average', 'Intercept')]
    """
    fitted = fitted_of(fit)
    random, data = _random(fitted.specification), fitted.data
    told = _told(fitted.specification, fitted.unpacked, own_rows(data))
    posterior = posterior_at(fitted.specification, data, fitted.params)
    average = np.einsum("uk,ukq->uq", posterior, told.effects)
    values = np.concatenate([told.effects, average[:, None]], axis=1)
    columns = pd.MultiIndex.from_product(
        [[*fitted.components, AVERAGE], random.names], names=["component", "effect"]
    )
    assert data.units.labels is not None, "random effects have groups"
    index = data.units.labels.rename(fitted.specification.column_names.get("groups", "group"))
    return pd.DataFrame(values.reshape(len(values), -1), index, columns)


def _random(model: Specification) -> RandomEffects:
    if model.spec.random is None:
        raise SmmixError(
            "The model has no random effects; give them to from_formula as random='~ 1', with "
            "groups."
        )
    return model.spec.random


class _Told(NamedTuple):
    """What rows with a response tell of their groups, in the order of the groups' codes."""

    log_density: np.ndarray  # (u, k), zero for groups without such a row
    effects: np.ndarray  # (u, k, q), likewise


def _told(model: Specification, params: MixtureParams, rows: Rows) -> _Told:
    codes, random = _codes(rows), _random(model)
    told = _Told(
        np.zeros((codes.max(initial=-1) + 1, model.k)),
        np.zeros((codes.max(initial=-1) + 1, model.k, random.q)),
    )
    order = np.flatnonzero(_known(rows))
    order = order[np.argsort(codes[order], kind="stable")]
    if rows.endog is None or not order.size:
        return told

    def cut(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[order]

    first = group_starts(codes[order])
    block = Block(
        rows.endog[order],
        rows.exog[order],
        repeat=cut(rows.repeat),
        offset=cut(rows.offset),
        group=first,
        aux=cut(rows.aux),
    )
    found = model.spec.components.evaluate(params, block)
    group, z_v_r = found.state[:2]
    told.log_density[codes[order][first]] = found.log_density[0].T
    told.effects[codes[order][first]] = group.effects(z_v_r)[:, 0].T
    return told


def _codes(rows: Rows) -> np.ndarray:
    """Group of each row; without groups each is one."""
    return np.arange(len(rows.index)) if rows.group_codes is None else rows.group_codes


def _known(rows: Rows) -> np.ndarray:
    """Rows (m,) with a response, and all else that is needed."""
    if rows.endog is None:
        return np.zeros(len(rows.index), dtype=bool)
    incomplete = np.isnan(rows.endog) | np.isnan(rows.exog).any(axis=1)
    return np.asarray(~incomplete)


def group_densities(model: Specification, params: MixtureParams, rows: Rows) -> np.ndarray:
    """Log-density within each component of all that is known of each row's group, (m, k)."""
    return _told(model, params, rows).log_density[_codes(rows)]


def conditional_means(
    model: Specification,
    params: MixtureParams,
    rows: Rows,
    posterior: np.ndarray,
    observed: Observed | None,
) -> np.ndarray:
    """E[y] of rows given what is known of their groups, (m,).

    Groups with a response in some of the rows are known by these. Others that are in the fit are
    known by its rows, where it has them. Of new groups nothing is known: their mean is that of the
    mixture.

    Parameters
    ----------
    model : Specification
    params : MixtureParams
    rows : Rows
    posterior : ndarray, (m, k)
        Of the components, the prior in groups without a response.
    observed : Observed or None
        Rows of the fit.
    """
    codes = _codes(rows)
    effects = _told(model, params, rows).effects[codes]
    silent = ~np.isin(codes, codes[_known(rows)])
    if silent.any() and rows.groups is not None and observed is not None and not observed.removed:
        assert observed.units.labels is not None
        place = observed.units.labels.get_indexer(pd.Index(rows.groups))
        seen = silent & (place >= 0)
        effects[seen] = _told(model, params, own_rows(observed)).effects[place[seen]]
        visible = model.parameters.of_full(model.layout.pack(params)[0])
        posterior = np.where(
            seen[:, None], posterior_at(model, observed, visible)[place], posterior
        )
    assert rows.aux is not None, "random effects have a design"
    means = rows.exog @ params.coef[0].T + np.einsum("mkq,mq->mk", effects, rows.aux)
    if rows.offset is not None:
        means += rows.offset[:, None]
    return np.asarray((posterior * means).sum(axis=1))
