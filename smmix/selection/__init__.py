"""How many components: fits over a range of k, compared by a criterion."""

from smmix.selection.select import Selection, select_k

__all__ = ["Selection", "select_k"]
