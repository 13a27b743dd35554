"""Moves: a likely line is the one that the data were made with."""

import numpy as np

import smmix
from smmix.search.moves import likely_lines
from smmix.search.pilot import Pilot


def pilot_of(x, y, groups=None):
    model = smmix.MixtureOLS(y, x, k=2, groups=groups)
    return Pilot(model.source, np.ravel(y), np.ravel(y) - y.mean(), np.ravel(y))


def cloud(rng, n, sharp):
    """A wide cloud, the first ``sharp`` rows of which lie near 1 + 2 x; and its one line."""
    x = np.column_stack([np.ones(n), rng.uniform(-1.0, 1.0, n)])
    y = 3.0 * rng.normal(size=n)
    y[:sharp] = x[:sharp] @ [1.0, 2.0] + 0.05 * rng.normal(size=sharp)
    return x, y, np.linalg.lstsq(x, y)[0][None]


def test_of_many_lines_that_is_taken_which_hides_in_the_cloud():
    x, y, coef = cloud(np.random.default_rng(0), 300, 45)
    taken = likely_lines(pilot_of(x, y), np.ones((1, 300)), coef, 40, np.random.default_rng(1))
    # Its rows make up most of those that are taken, where chance would have it that 15 % do.
    share = taken[:, :45].sum(axis=1) / taken.sum(axis=1)
    assert taken[:, :45].mean(axis=0).min() > 0.2
    assert (share > 0.8).mean() > 0.3


def test_no_line_is_taken_that_a_component_has():
    x, y, _ = cloud(np.random.default_rng(0), 300, 45)
    posterior = np.zeros((2, 300))
    posterior[0, :45] = posterior[1, 45:] = 1.0
    coef = np.array([[1.0, 2.0], [0.0, 0.0]])
    taken = likely_lines(pilot_of(x, y), posterior, coef, 40, np.random.default_rng(1))
    share = taken[:, :45].sum(axis=1) / taken.sum(axis=1)
    assert share.max() < 0.5


def test_units_are_taken_as_a_whole():
    rng = np.random.default_rng(2)
    x, y, coef = cloud(rng, 300, 45)
    groups = np.repeat(np.arange(100), 3)
    pilot = pilot_of(x, y, groups)
    taken = likely_lines(pilot, np.ones((1, 100)), coef, 40, rng)
    assert taken.shape == (40, 100)
    assert (pilot.to_rows(taken)[:, :45].sum(axis=1) > 30).mean() > 0.3
