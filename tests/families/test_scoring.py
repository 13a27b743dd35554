"""The scoring step of nuisance parameters against maxima found by scipy and by hand."""

import numpy as np
import pytest
from helpers_families import CASES, derivatives, problem
from scipy import optimize

from smmix.core.family import Nuisance, Penalty
from smmix.core.statistics import ComponentStats
from smmix.core.transforms import IDENTITY, LOG, LOGIT
from smmix.families.scoring import nuisance_scores, nuisance_sums, scored_update

PAIR = (Nuisance("shape", LOG), Nuisance("place", IDENTITY))
NONE = frozenset()


def made(score, information, nobs=1.0):
    """Sums of a pass, from scores (S, K, d) and informations (S, K, d, d)."""
    rows, columns = np.tril_indices(score.shape[-1])
    extra = np.concatenate([score, information[..., rows, columns]], axis=-1)
    zero = np.zeros(score.shape[:2])
    return ComponentStats(zero + nobs, zero[..., None, None], zero[..., None], zero, extra)


def drawn(d=2, sets=3, k=2):
    rng = np.random.default_rng(1)
    factor = rng.normal(size=(sets, k, 9, d))
    return rng.normal(size=(sets, k, d)), np.einsum("skni,sknj->skij", factor, factor)


def test_step_is_that_of_the_working_coordinates():
    score, information = drawn()
    nuisance = np.tile([0.5, 2.0], (3, 2, 1))
    found = scored_update(made(score, information), nuisance, PAIR, Penalty(), NONE, None)
    slope = np.array([0.5, 1.0])
    for s in range(3):
        for c in range(2):
            step = np.linalg.solve(information[s, c] * np.outer(slope, slope), score[s, c] * slope)
            expected = [0.5 * np.exp(step[0]), 2.0 + step[1]]
            np.testing.assert_allclose(found[s, c], expected, rtol=1e-6)


def test_shared_parameters_take_the_step_of_one():
    score, information = drawn()
    nuisance = np.tile([0.5, 2.0], (3, 2, 1))
    found = scored_update(
        made(score, information), nuisance, PAIR, Penalty(), frozenset({"shape"}), None
    )
    for s in range(3):
        # One shape, then a place for each component.
        choose = np.zeros((2, 2, 3))
        choose[:, 0, 0] = 0.5
        choose[0, 1, 1] = choose[1, 1, 2] = 1.0
        joint = np.einsum("kde,kdr,keq->rq", information[s], choose, choose)
        step = np.linalg.solve(joint, np.einsum("kd,kdr->r", score[s], choose))
        np.testing.assert_allclose(found[s, :, 0], 0.5 * np.exp(step[0]), rtol=1e-6)
        np.testing.assert_allclose(found[s, :, 1], 2.0 + step[1:], rtol=1e-6)
    assert np.array_equal(found[:, 0, 0], found[:, 1, 0])


def test_all_shared_is_one_component_of_all():
    score, information = drawn()
    nuisance = np.tile([0.5, 2.0], (3, 2, 1))
    shared = frozenset({"shape", "place"})
    found = scored_update(made(score, information), nuisance, PAIR, Penalty(), shared, None)
    alone = scored_update(
        made(score.sum(1, keepdims=True), information.sum(1, keepdims=True)),
        nuisance[:, :1],
        PAIR,
        Penalty(),
        NONE,
        None,
    )
    np.testing.assert_allclose(found, np.broadcast_to(alone, found.shape), rtol=1e-12)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1e308, -1e308])
@pytest.mark.parametrize("shared", [NONE, frozenset({"shape"})])
def test_impossible_sums_touch_no_other_component(value, shared):
    score, information = drawn()
    nuisance = np.tile([0.5, 2.0], (3, 2, 1))
    stats = made(score, information)
    stats.extra[0, 0] = value
    found = scored_update(stats, nuisance, PAIR, Penalty(), shared, None)
    assert np.isfinite(found).all()
    assert np.all(found[..., 0] > 0.0)
    if not np.isfinite(value) or value == 0.0:
        assert found[0, 0, 1] == 2.0
        other = scored_update(
            made(score[:, 1:], information[:, 1:]), nuisance[:, 1:], PAIR, Penalty(), NONE, None
        )
        np.testing.assert_allclose(found[0, 1], other[0, 0], rtol=1e-6)


def test_a_probability_stays_one():
    parameters = (Nuisance("inflate", LOGIT),)
    score, information = np.full((1, 1, 1), 1e6), np.full((1, 1, 1, 1), 1.0)
    nuisance = np.full((1, 1, 1), 0.999)
    for _ in range(50):
        nuisance = scored_update(
            made(score, information), nuisance, parameters, Penalty(), NONE, None
        )
        assert 0.0 < nuisance[0, 0, 0] < 1.0


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_penalised_maximum(power):
    """Steps on n (-log v - q / v), whose penalised maximum scipy finds too."""
    count, q, penalty = 20.0, 0.3, Penalty(0.7, 2.0)
    parameters, nuisance = (Nuisance("scale", LOG),), np.full((1, 1, 1), 1.0)

    def objective(log_v):
        v = np.exp(log_v)
        ratio = (penalty.reference / v**power) ** 2
        return count * (log_v + q / v) + penalty.strength * (ratio - np.log(ratio) - 1.0)

    for _ in range(40):
        score = count * (-1.0 / nuisance + q / nuisance**2)
        information = count / nuisance[..., None] ** 2
        nuisance = scored_update(
            made(score, information), nuisance, parameters, penalty, NONE, (0, power)
        )
    expected = optimize.minimize_scalar(objective, bounds=(-6, 6), options={"xatol": 1e-10})
    np.testing.assert_allclose(np.log(nuisance[0, 0, 0]), expected.x, atol=1e-6)
    free = scored_update(
        made(score, information), nuisance, parameters, penalty, frozenset({"scale"}), (0, power)
    )
    bare = scored_update(
        made(score, information), nuisance, parameters, Penalty(), NONE, (0, power)
    )
    np.testing.assert_allclose(free, bare, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.family.scale])
@pytest.mark.parametrize("penalty", [Penalty(), Penalty(1.5, 0.8)])
@pytest.mark.parametrize("tied", [False, True])
def test_nuisance_update_reaches_the_maximum(name, penalty, tied):
    """At fixed coefficients a family's own update ends where scipy's maximum is."""
    family, at = CASES[name].family, problem(CASES[name], rows=60)
    shared = frozenset(p.name for p in family.nuisance) if tied else NONE
    nuisance = np.broadcast_to(at.nuisance[:, :1], at.nuisance.shape).copy()
    start = nuisance.copy()

    def log_likelihood(value):
        working = family.evaluate(at.y, at.aux, at.eta.copy(), value)
        return working.log_density.sum(axis=-1)

    i, power = family.scale
    for _ in range(30):
        working = family.evaluate(at.y, at.aux, at.eta.copy(), nuisance)
        extra = np.stack([v.sum(-1) for v in family.sums(at.y, at.aux, working, nuisance)], axis=-1)
        zero = np.zeros(extra.shape[:2])
        stats = ComponentStats(zero + 60, zero[..., None, None], zero[..., None], zero, extra)
        nuisance = family.update_nuisance(stats, zero, nuisance, penalty, shared)

    def objective(log_v, s, c):
        value = start.copy()
        value[s, slice(None) if tied else c, i] = np.exp(log_v)
        ratio = (penalty.reference / np.exp(log_v) ** power) ** 2
        cost = 0.0 if tied else penalty.strength * (ratio - np.log(ratio) - 1.0)
        total = log_likelihood(value)[s]
        return cost - (total.sum() if tied else total[c])

    for s in range(2):
        for c in range(2):
            best = optimize.minimize_scalar(
                objective, bounds=(-12, 12), args=(s, c), options={"xatol": 1e-9}, method="bounded"
            )
            np.testing.assert_allclose(np.log(nuisance[s, c, i]), best.x, atol=2e-5)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.family.nuisance])
def test_scores_of_the_sums_are_sums_of_derivatives(name):
    family, at = CASES[name].family, problem(CASES[name])
    working, found = derivatives(family, at)
    rows = nuisance_sums(found, at.eta.shape)
    d = at.nuisance.shape[-1]
    assert len(rows) == d + d * (d + 1) // 2
    zero = np.zeros(at.eta.shape[:2])
    packed = np.stack([v.sum(-1) for v in rows], axis=-1)
    own = np.stack([v.sum(-1) for v in family.sums(at.y, at.aux, working, at.nuisance)], axis=-1)
    stats = ComponentStats(zero + at.y.size, zero[..., None, None], zero[..., None], zero, packed)
    expected = nuisance_scores(stats, at.nuisance)
    np.testing.assert_allclose(expected[..., 0], found.first[1].sum(-1), rtol=1e-12)
    np.testing.assert_allclose(
        family.score(stats._replace(extra=own), at.nuisance), expected, rtol=1e-8, atol=1e-8
    )
