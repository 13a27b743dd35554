"""The order of a polynomial of time for each component, from the highest down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from smmix.errors import SmmixError
from smmix.formula.engine import parse
from smmix.model import MixtureRegression
from smmix.results import MixtureResultsWrapper
from smmix.support.checks import shown

__all__ = ["Orders"]

#: A highest power whose Wald test has a smaller p-value stays.
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Orders:
    """Polynomials of one variable.

    Attributes
    ----------
    response : str
    rest : tuple of str
        "1" or "0" for a constant or none, and the other terms, which all components have.
    powers : tuple of str
        Terms of the variable, its square, .., up to the highest order.
    lowest : int
        Least order of a component.
    """

    response: str
    rest: tuple[str, ...]
    powers: tuple[str, ...]
    lowest: int

    @classmethod
    def of(cls, formula: Any, orders: Any) -> Orders:
        """The polynomials that a user asks for.

        Raises
        ------
        SmmixError
            If there is no lowest and highest order, or the variable is not told.
        """
        if not isinstance(formula, str):
            raise SmmixError("orders needs a formula as text, in which it replaces the time.")
        names = [term.name() for term in parse(formula, None, None).exog]
        terms = [name for name in names if name != "Intercept"]
        if isinstance(orders, Mapping):
            if len(orders) != 1:
                raise SmmixError("orders names one variable, as in orders={'age': (1, 3)}.")
            variable, orders = next(iter(orders.items()))
        elif len(terms) == 1:
            variable = terms[0]
        else:
            raise SmmixError(
                f"The formula {formula!r} has {len(terms)} terms beside the constant; name the one "
                "whose order is sought, as in orders={'age': (1, 3)}."
            )
        pair = list(orders) if isinstance(orders, tuple | list) else []
        whole = all(isinstance(order, int) and not isinstance(order, bool) for order in pair)
        if len(pair) != 2 or not whole or not 0 <= pair[0] <= pair[1] or pair[1] < 1:
            raise SmmixError(
                f"orders={shown(orders)} must be the lowest and the highest order, such as (1, 3)."
            )
        powers = (str(variable), *(f"I({variable} ** {i})" for i in range(2, pair[1] + 1)))
        others = tuple(name for name in terms if name not in powers)
        response = formula.partition("~")[0].strip()
        return cls(response, (str(int("Intercept" in names)), *others), powers, pair[0])

    @property
    def highest(self) -> str:
        """The formula with all powers."""
        return self.formula(len(self.powers))

    def formula(self, order: int) -> str:
        """The formula of a component of an order."""
        return f"{self.response} ~ {' + '.join((*self.rest, *self.powers[:order]))}"

    def check(self, model: MixtureRegression) -> None:
        """Refuse a variable that is no number."""
        if len(model.exog_terms.get(self.powers[0], [])) != 1:
            raise SmmixError(f"{self.powers[0]} is no number, so it has no powers.")

    def lowered(
        self,
        results: MixtureResultsWrapper,
        value: Callable[[MixtureResultsWrapper], float],
        options: Mapping[str, Any],
    ) -> MixtureResultsWrapper:
        """The fit whose components have the orders that they need.

        While the highest power of some component is not significant, the least significant one
        is left out, and stays out if the criterion does not grow; a component whose power stays
        is settled. The model with the orders found is then searched as any other.

        Parameters
        ----------
        results : MixtureResults
            With all powers.
        value : callable
            The criterion of a fit, small where it is good.
        options : dict
            Of fit().
        """
        settled: set[int] = set()
        while (c := self._least_needed(results, settled)) is not None:
            at = results.model.present.copy()
            at[c, results.model.exog_names.index(self.powers[self.order(results, c) - 1])] = False
            near = {**options, "starts": results.posterior.to_numpy(), "order": None}
            fewer = self._with(results.model, at).fit(**near)
            if value(fewer) <= value(results):
                results = fewer
            else:
                settled.add(c)
        if results.model.present.all():
            return results
        searched = results.model.fit(**options)
        return min(searched, results, key=value)

    def order(self, results: MixtureResultsWrapper, c: int) -> int:
        """Order of a component."""
        names = results.model.exog_names
        return int(sum(results.model.present[c, names.index(power)] for power in self.powers))

    def told(self, results: MixtureResultsWrapper) -> str:
        """The orders of all components."""
        return ", ".join(str(self.order(results, c)) for c in range(results.k))

    def _least_needed(self, results: MixtureResultsWrapper, settled: set[int]) -> int | None:
        """The component of least significant highest power, if it is not significant."""
        pvalues = {}
        for c in set(range(results.k)) - settled:
            order = self.order(results, c)
            # A component keeps one column at least.
            if order > self.lowest and results.model.present[c].sum() > 1:
                pvalues[c] = results.pvalues[f"{self.powers[order - 1]}[{c}]"]
        least = max(pvalues, key=lambda c: pvalues[c], default=None)
        return None if least is None or not pvalues[least] > SIGNIFICANT else least

    def _with(self, model: MixtureRegression, present: np.ndarray) -> Any:
        columns = [model.exog_names.index(power) for power in self.powers]
        formulas = [self.formula(int(own[columns].sum())) for own in present]
        return model._with(model.specification.with_present(present, formulas))
