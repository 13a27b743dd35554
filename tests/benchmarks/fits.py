"""Whole default fits, all starts, Newton finish and standard errors, against the peers; growth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import statsmodels.api as sm

import smmix
from smmix.search.coordinates import working_setting
from smmix.search.em import EMControl, newton
from tests.benchmarks.passes import MOST_GROWTH, size
from tests.benchmarks.peers import Peers
from tests.benchmarks.problems import Problem, npreg, simulated
from tests.benchmarks.timing import Clock, Row, clocked, race

#: Most that a whole default fit may take of one flexmix fit from one random start.
LARGE_SHARE, SMALL_SHARE = 0.1, 1.0


def whole_fit(problem: Problem, threads: int | None = None) -> Callable[[], object]:
    """A default fit from arrays to standard errors."""
    return lambda: smmix.MixtureOLS(problem.y, problem.x, k=problem.k).fit(threads=threads).bse


def seeded(peers: Peers, command: str) -> Callable[[], Clock]:
    """The peer's command with another seed at each call."""
    seeds = iter(range(1, 10_000))
    return lambda: peers.run(f"{command} {next(seeds)}")


def against_peers(peers: Peers, quick: bool, seconds: float) -> Iterator[Row]:
    cases = [
        ("NPreg, n = 200, p = 3, k = 2", npreg(), SMALL_SHARE, 10),
        (size(100_000, 4, 3), simulated(100_000, 4, 3), LARGE_SHARE, 1),
    ]
    for what, problem, share, repeat in cases:
        peers.load(problem)
        ours = whole_fit(problem)
        small = problem.y.size < 1000
        for name, command, bound in (
            ("one flexmix fit, one random start", "flexmix_fit", share),
            ("stepFlexmix, the best of ten", "step_flexmix", None),
        ):
            slow = command == "step_flexmix" and not small
            if slow and quick:
                continue
            yield race(
                f"whole fit / {name}",
                what,
                lambda run=ours, r=repeat: clocked(run, r),
                seeded(peers, command),
                bound=bound,
                on_cpu=small,
                rounds=25 if small else 1 if slow else 3,
                seconds=seconds,
            )


def growth(quick: bool, seconds: float) -> Iterator[Row]:
    cells = [((400_000, 4, 3), (200_000, 4, 3), "rows")]
    if not quick:
        cells += [
            ((100_000, 16, 3), (100_000, 8, 3), "columns"),
            ((100_000, 4, 4), (100_000, 4, 2), "components"),
        ]
    for large, small, what in cells:
        runs = [whole_fit(simulated(*cell), 1) for cell in (large, small)]
        yield race(
            f"whole fit, twice the {what}",
            f"{size(*large)} / {size(*small)}",
            lambda run=runs[0]: clocked(run),
            lambda run=runs[1]: clocked(run),
            bound=MOST_GROWTH if what == "rows" else None,
            on_cpu=True,
            seconds=seconds,
        )


def overhead() -> Iterator[Row]:
    """A small fit, where the overhead of calls rules, in units of the OLS fit of the same rows."""
    problem = simulated(150, 3, 2)
    ours = whole_fit(problem)
    yield race(
        "small fit / statsmodels OLS fit with standard errors",
        size(150, 3, 2),
        lambda: clocked(ours, 5),
        lambda: clocked(lambda: sm.OLS(problem.y, problem.x).fit().bse, 50),
    )


def newton_passes() -> list[tuple[str, int]]:
    """Passes of Newton's method from two standard errors off the maximum, in every parameter."""
    found = []
    for what, problem in (
        ("NPreg, n = 200, p = 3, k = 2", npreg()),
        (size(10_000, 5, 3), simulated(10_000, 5, 3)),
        (size(100_000, 4, 3), simulated(100_000, 4, 3)),
    ):
        model = smmix.MixtureOLS(problem.y, problem.x, k=problem.k)
        best = model.fit()
        sign = np.random.default_rng(1).choice([-1.0, 1.0], best.params.size)
        near = model.unpack(best.params + 2.0 * sign * best.bse)
        setting = working_setting(model.spec, model.source)
        start = setting.coordinates.to_working(near)
        ascent = newton(setting.objective, start, EMControl())
        if ascent.score_norm[0] > EMControl.gtol:
            raise RuntimeError(f"Newton's method did not converge on {what}.")
        found.append((what, ascent.n_passes))
    return found
