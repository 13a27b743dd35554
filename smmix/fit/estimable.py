"""What cannot be estimated: data, starting values and exact fits that a search has no answer to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from smmix.core.blocks import Block
from smmix.core.information import information
from smmix.core.linalg import dependent_columns, solve_gram
from smmix.core.scale import spread
from smmix.errors import SmmixError
from smmix.large.build import doubtful_designs
from smmix.mixture.observed import Observed
from smmix.mixture.specification import Specification
from smmix.search.modes import Mode, Modes, chosen
from smmix.search.rule import Clause
from smmix.support.frames import joined, quoted

__all__ = ["check_estimable", "exact_marked", "refuse_far_start"]

#: Largest ratio of the pooled residual to the response that counts as an exact fit.
EXACT_FIT = 1e-13
#: Sigmas of a mixture no larger than this, relative to that of one regression, count as zero.
EXACT_MIXTURE = 1e-7
#: Sigmas from which one EM step leads to those, where there are such.
NEARLY_EXACT = 1e-2


def check_estimable(specification: Specification, observed: Observed) -> None:
    """Refuse data from which the parameters cannot be estimated.

    Raises
    ------
    SmmixError
        For collinear columns, too few rows, a constant response, or an exact linear fit.
    """
    for one, own in zip(specification.outcomes, observed.outcomes, strict=True):
        check_estimable(one, own)
    name, layout = specification.endog_name, specification.layout
    for x, names, what in designs_to_check(specification, observed):
        refuse_collinear(x, names, what)
    low, high, has_offset = observed.response_range()
    if low == high:
        what = " less the offset" if has_offset else ""
        raise SmmixError(
            f"The response {name!r}{what} is constant ({low:g}); there is nothing to explain."
        )
    needed = specification.n_free + 1
    if specification.k > 1 and specification.variance == "free":
        needed = max(needed, specification.k * (layout.p + 2))
    if observed.nobs < needed:
        raise SmmixError(
            f"{observed.nobs:g} rows are too few for k={specification.k} components with "
            f"{layout.p} coefficients each: at least {needed} are needed; use a smaller k, "
            "fewer regressors or variance='equal'."
        )
    if observed.n_groups is not None and observed.n_groups < specification.k:
        raise SmmixError(
            f"There are {observed.n_groups} groups for k={specification.k} components; each "
            "component needs a group of its own."
        )
    if specification.spec.random is not None:
        refuse_unidentified_effects(specification, observed)
    exact = observed.pooled.spread <= EXACT_FIT * max(-low, high)
    if specification.family.location_scale and exact:
        raise SmmixError(
            f"The regressors fit {name!r} exactly; there is no variation left for "
            "a mixture to explain."
        )


def refuse_unidentified_effects(specification: Specification, observed: Observed) -> None:
    """Refuse random effects that the groups' rows cannot tell from errors, or too few groups."""
    spec, n_groups = specification.spec, observed.n_groups
    random = spec.random
    assert random is not None
    assert n_groups is not None
    needed = specification.k * (random.q + 1)
    if n_groups < needed:
        raise SmmixError(
            f"There are {n_groups} groups for k={specification.k} components with "
            f"{quoted(random.names)} as random effects: at least {needed} are needed; use a "
            "smaller k or fewer random effects."
        )
    # Without effects the information on variances is that of the design alone.
    params = spec.base(1)
    params.nuisance[..., 1:] = 0.0
    at = spec.layout.component(0)[spec.layout.p :][: spec.layout.d]
    info = observed.source.reduce(lambda b: information(spec, params, b, cross_products=False))
    found = info.complete[0][np.ix_(at, at)]
    if not solve_gram(found, np.zeros(len(at)))[1] or (np.diag(found) == 0.0).any():
        raise SmmixError(
            f"The groups have too few rows to tell the random effects {quoted(random.names)} from "
            "the errors: leave out effects, or try random_cov='diagonal'."
        )


def exact_marked(specification: Specification, observed: Observed, modes: Modes) -> Modes:
    """Modes, degenerate where the components fit the response exactly: there is no maximum.

    Such a mode is the fit, whatever else the search has found.
    """
    fit, exact = chosen(modes.modes), []
    for i, mode in enumerate(modes.modes if specification.family.location_scale else []):
        if fits_exactly(specification, observed, mode):
            mode.degenerate = True
            mode.reason = Clause(
                f"{specification.k} regressions fit {specification.endog_name!r} exactly"
            )
            exact.append(i)
    return replace(modes, selected=min(exact, default=fit))


def fits_exactly(specification: Specification, observed: Observed, mode: Mode) -> bool:
    """Whether all components of a mode are exact, or are after one more EM step."""
    family, spec, params = specification.family, specification.spec, mode.params
    pooled = observed.pooled.spread
    if spread(family, params.nuisance).max() <= EXACT_MIXTURE * pooled:
        return True
    if not mode.degenerate or spread(family, params.nuisance).max() > NEARLY_EXACT * pooled:
        return False
    params = spec.m_step(params, observed.source.reduce(lambda block: spec.e_step(params, block)))
    return bool(spread(family, params.nuisance).max() <= EXACT_MIXTURE * pooled)


def designs_to_check(
    specification: Specification, observed: Observed
) -> Iterator[tuple[np.ndarray, list[str], str]]:
    """Both designs, with the names of their columns and their kind."""
    if not observed.in_memory:
        yield from doubtful_designs(specification, observed)
        return
    design, first = observed.rows(), observed.units.first
    yield design.exog, design.exog_names, "design"
    z = design.concomitant
    if z is not None:
        yield z if first is None else z[first], design.concomitant_names or [], "mixing design"
    if design.ancillary is not None:
        yield design.ancillary, design.ancillary_names or [], "family's design"


def refuse_collinear(x: np.ndarray, names: list[str], what: str) -> None:
    """Name a column that is a linear combination of earlier ones."""
    gram = x.T @ x
    if (np.diag(gram) > 0.0).all() and solve_gram(gram, np.zeros(len(names)))[1]:
        return
    dependent = dependent_columns(x)
    if not dependent:
        return
    column = dependent[0]
    name = names[column]
    earlier = [j for j in range(column) if j not in dependent]
    width = np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
    scaled = x / width
    share = np.linalg.lstsq(scaled[:, earlier], scaled[:, column], rcond=None)[0]
    others = [names[j] for j, s in zip(earlier, share, strict=True) if abs(s) > 1e-8]
    if not others:
        raise SmmixError(f"The column {name!r} of the {what} is zero in every row; leave it out.")
    raise SmmixError(
        f"The column {name!r} of the {what} is a linear combination of {_by_factor(others)}; "
        "leave one of them out."
    )


def _by_factor(names: list[str]) -> str:
    """Names of columns, those that one factor makes as one."""
    made: dict[str, list[str]] = {}
    for name in names:
        made.setdefault(name.rpartition("[")[0] or name, []).append(name)
    return joined(
        [
            repr(own[0]) if len(own) == 1 else f"the {len(own)} columns of {factor!r}"
            for factor, own in made.items()
        ]
    )


def refuse_far_start(specification: Specification, observed: Observed, start: np.ndarray) -> None:
    """Refuse parameters (V,) at which nothing can be said about the rows, or of a component."""
    spec, unpacked = specification.spec, specification.unpack(start)

    def step(block: Block) -> np.ndarray:
        with np.errstate(all="ignore"):
            posterior, loglike = spec.posterior(unpacked, block)[:2]
            return np.append(posterior[0].sum(axis=1), loglike[0].sum())

    *shares, loglike = observed.source.reduce(step, specification.k)
    if not np.isfinite(loglike):
        raise SmmixError(
            "The log-likelihood is not finite at start_params; give values nearer to the data, or "
            "leave start_params out."
        )
    if 0.0 in shares:
        raise SmmixError(
            f"No row can belong to component {shares.index(0.0)} at start_params; give it values "
            "nearer to the data, or leave start_params out."
        )
