"""Pictures of a fitted mixture, drawn with matplotlib (the extra ``plot``).

Every function takes and returns Axes. Components differ by colour, line style and marker, so
that the pictures can be read in grey.
"""

from smmix.plots.coef import plot_coef
from smmix.plots.fit import plot_fit
from smmix.plots.posterior import plot_posterior
from smmix.plots.residuals import plot_residuals
from smmix.plots.rootogram import plot_rootogram
from smmix.plots.starts import plot_starts
from smmix.plots.style import GREY, look, open_panels, require_matplotlib
from smmix.plots.trajectories import plot_trajectories

__all__ = [
    "GREY",
    "look",
    "open_panels",
    "plot_coef",
    "plot_fit",
    "plot_posterior",
    "plot_residuals",
    "plot_rootogram",
    "plot_starts",
    "plot_trajectories",
    "require_matplotlib",
]
