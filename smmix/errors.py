"""What smmix raises and warns.

Where statsmodels has a warning of the same meaning (``ConvergenceWarning``,
``HessianInversionWarning``, ``SingularMatrixWarning``), that one is used.
"""

__all__ = [
    "ArgumentError",
    "BoundaryWarning",
    "DegenerateComponentWarning",
    "SmmixError",
    "UnavailableError",
]


class SmmixError(ValueError):
    """Bad input: the message says in one sentence which column, row or argument, and what to do.

    Examples
    --------
    >>> from smmix.errors import SmmixError
    >>> issubclass(SmmixError, ValueError)
    True
    """

    def __init__(self, message: str):
        # What others say, and names of columns, may hold line breaks.
        super().__init__(" ".join(line.strip() for line in message.splitlines()))


class ArgumentError(SmmixError, TypeError):
    """A call with an argument that a function does not have, or without one that it needs.

    Examples
    --------
    >>> from smmix.errors import ArgumentError
    >>> issubclass(ArgumentError, TypeError)
    True
    """


class BoundaryWarning(UserWarning):
    """The likelihood has its maximum where a parameter is at the end of its range.

    Examples
    --------
    >>> import warnings
    >>> from smmix.errors import BoundaryWarning
    >>> warnings.simplefilter("error", BoundaryWarning)
    """


class DegenerateComponentWarning(UserWarning):
    """A component of the fit has collapsed onto too few rows, or onto a line without residuals.

    Examples
    --------
    >>> import warnings
    >>> from smmix.errors import DegenerateComponentWarning
    >>> warnings.simplefilter("error", DegenerateComponentWarning)
    """


class UnavailableError(SmmixError, AttributeError):
    """What a fit without its rows does not have.

    Examples
    --------
    >>> from smmix.errors import UnavailableError
    >>> issubclass(UnavailableError, AttributeError)
    True
    """
