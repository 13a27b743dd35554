"""What all pictures share: Axes to draw on, the looks of the components, samples of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from smmix.errors import SmmixError
from smmix.support.checks import check_whole, generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

__all__ = [
    "GREY",
    "Look",
    "Panels",
    "certainty",
    "faded",
    "look",
    "open_panels",
    "require_matplotlib",
    "sample_rows",
]

# Neighbours differ in lightness too; the three cycles have different lengths, so that no two of
# the first 72 components look the same.
_COLOURS = ("#0b559f", "#e58606", "#117a50", "#d6529c", "#5a2d82", "#46b0d1", "#8a5a12", "#b7bf10")
_LINES: tuple[Any, ...] = (
    "-", "--", ":", "-.", (0, (7, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 3)),
    (0, (9, 2, 3, 2)), (0, (2, 1)),
)  # fmt: skip
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">", "*", "p")
#: Of what belongs to no component.
GREY = "#555555"
#: Towards which a point fades as its component becomes uncertain.
_PALE = np.array([0.86, 0.86, 0.86])


@dataclass(frozen=True)
class Look:
    """How a component is drawn.

    Attributes
    ----------
    color, marker : str
    line : str or tuple
        Line style.
    """

    color: str
    line: Any
    marker: str


def look(component: int) -> Look:
    """Colour, line style and marker of a component.

    Examples
    --------
    >>> from smmix.plots.style import look
    >>> look(0).marker, look(1).marker
    ('o', '^')
    """
    return Look(
        _COLOURS[component % len(_COLOURS)],
        _LINES[component % len(_LINES)],
        _MARKERS[component % len(_MARKERS)],
    )


def certainty(posterior: np.ndarray) -> np.ndarray:
    """Largest posterior of each row (n, k), from 0 (all components alike) to 1, (n,)."""
    k = posterior.shape[1]
    if k == 1:
        return np.ones(len(posterior))
    return np.clip((posterior.max(axis=1) - 1.0 / k) / (1.0 - 1.0 / k), 0.0, 1.0)


def faded(color: str, strength: np.ndarray) -> np.ndarray:
    """RGB colours (n, 3) between a pale grey, at ``strength`` 0, and ``color``, at 1."""
    from matplotlib.colors import to_rgb

    return _PALE + strength[:, None] * (np.array(to_rgb(color)) - _PALE)


def require_matplotlib() -> None:
    """Say what to install when matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401, ICN001
    except ImportError as error:
        raise SmmixError(
            'Plots need matplotlib; install it with: pip install "smmix[plot]".'
        ) from error


def sample_rows(n: int, most: int, rng: Any) -> np.ndarray:
    """Positions of all n rows, or of ``most`` of them drawn without replacement, in order."""
    check_whole("max_points", most)
    if n <= most:
        return np.arange(n)
    return np.sort(generator(rng).choice(n, int(most), replace=False))


@dataclass(frozen=True)
class Panels:
    """The Axes of one picture.

    Attributes
    ----------
    axes : list of Axes
    figure : Figure or None
        The figure when it holds nothing but this picture.
    """

    axes: list[Axes]
    figure: FigureBase | None

    def result(self) -> Any:
        """The Axes of a single panel, or an array of the Axes of all."""
        if len(self.axes) == 1:
            return self.axes[0]
        array = np.empty(len(self.axes), dtype=object)
        array[:] = self.axes
        return array

    def legend(self, handles: Sequence[Any], caption: str = "") -> None:
        """One legend for all panels, above them, with a caption as its title."""
        options: dict[str, Any] = {
            "handles": list(handles),
            "title": caption or None,
            "title_fontsize": "small",
            "fontsize": "small",
            "frameon": False,
        }
        across = min(len(handles), 6 if len(self.axes) > 2 else 3)
        # As few rows as fit, and those of one length.
        options["ncols"] = -(-len(handles) // -(-len(handles) // across))
        if self.figure is not None:
            self.figure.legend(loc="outside upper center", **options)
        else:
            self.axes[0].legend(
                loc="lower center", bbox_to_anchor=(0.5, 1.0), borderaxespad=0.2, **options
            )


def open_panels(
    count: int,
    ax: Any,
    size: tuple[float, float] = (4.0, 3.2),
    columns: int = 3,
    fewer: str = "",
) -> Panels:
    """Axes for ``count`` panels: those given, or new ones.

    Parameters
    ----------
    count : int
    ax : Axes, sequence of Axes, Figure or None
        A figure is divided into panels; None opens a new one with pyplot.
    size : tuple of float
        Width and height of a panel of a new figure, inches.
    columns : int
        Most panels side by side.
    fewer : str
        How to ask for fewer panels, for the message to one who gave too few Axes.

    Raises
    ------
    SmmixError
        If matplotlib is not installed, or ``ax`` has not as many Axes as there are panels.
    """
    require_matplotlib()
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    across = min(count, columns)
    down = -(-count // across)
    if ax is None:
        ax = plt.figure(figsize=(size[0] * across, size[1] * down), layout="constrained")
    if isinstance(ax, FigureBase):
        grid = ax.subplots(down, across, squeeze=False).ravel()
        for spare in grid[count:]:
            spare.remove()
        return Panels(list(grid[:count]), ax)
    given = np.asarray(ax, dtype=object).ravel()
    if not all(isinstance(one, Axes) for one in given):
        raise SmmixError("ax must be a matplotlib Axes, an array of them, or a Figure.")
    if len(given) != count:
        if count == 1:
            raise SmmixError(f"This picture has one panel: give one Axes as ax, not {len(given)}.")
        raise SmmixError(
            f"This picture has {count} panels: give an array of {count} Axes or a Figure as ax, "
            f"not {len(given)} Axes{fewer}."
        )
    return Panels(list(given), None)
