"""Which factors of a formula from a file may be evaluated without trusting the file.

A factor is Python code, so one from a file could run anything. Here its syntax tree is checked
against what formulas are made of: arithmetic and comparisons of columns and numbers, patsy's own
transforms, and NumPy's elementary functions. Everything else is refused.
"""

import ast
from collections.abc import Collection

import numpy as np

from smmix.errors import SmmixError

__all__ = ["NUMPY_FUNCTIONS", "check_factor"]

_NAMES = (
    "abs absolute arccos arccosh arcsin arcsinh arctan arctan2 arctanh cbrt ceil clip cos cosh "
    "deg2rad degrees exp exp2 expm1 fabs floor fmax fmin hypot isfinite isinf isnan log log10 "
    "log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or maximum minimum "
    "nan_to_num power rad2deg radians rint round sign sin sinh sqrt square tan tanh trunc where"
)
NUMPY_FUNCTIONS = frozenset(name for name in _NAMES.split() if hasattr(np, name))
_NUMPY_KEYWORDS = frozenset({"a_max", "a_min", "decimals"})
_NUMPY_CONSTANTS = frozenset({"e", "pi"})
_TRANSFORMS = frozenset({"C", "I", "Q", "bs", "cc", "center", "cr", "scale", "standardize", "te"})
_CONTRASTS = frozenset({"ContrastMatrix", "Diff", "Helmert", "Poly", "Sum", "Treatment"})
_BUILTINS = frozenset({"abs", "round"})
#: Calls that take text, None and lists of constants: levels, contrasts and knots.
_TAKE_OPTIONS = _CONTRASTS | (_TRANSFORMS - {"I", "Q"})
_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.BitAnd, ast.BitOr, ast.BitXor,
)  # fmt: skip
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
#: Longest expression, and largest base and exponent of a power of two constants.
_LONGEST, _LARGEST_BASE, _LARGEST_EXPONENT = 2000, 1e6, 100.0


def check_factor(
    code: str,
    columns: Collection[str],
    constants: Collection[str] = (),
    functions: Collection[str] = (),
    modules: Collection[str] = ("np",),
) -> None:
    """Refuse a factor that is more than arithmetic, transforms and elementary functions.

    Parameters
    ----------
    code : str
        The expression.
    columns, constants : collections of str
        Names that stand for data, and for plain values.
    functions : collection of str
        Names that stand for elementary functions of NumPy.
    modules : collection of str
        Names that stand for NumPy.

    Raises
    ------
    SmmixError
        If any part of the expression is not on the list.

    Examples
    --------
    >>> from smmix.formula.safety import check_factor
    >>> check_factor("np.log(x) + bs(x, df=4)", {"x"})
    >>> check_factor("open('f')", {"x"})
    Traceback (most recent call last):
    smmix.errors.SmmixError: The formula term "open('f')" uses open(), which ...
    """
    if len(code) > _LONGEST:
        raise SmmixError(f"The formula term {code[:40]!r}.. is too long to be checked.")
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise SmmixError(f"The formula term {code[:60]!r} is not a valid expression.") from error
    checker = _Checker(code, columns, constants, functions, modules)
    try:
        checker.visit(tree.body)
    except RecursionError:
        raise SmmixError(f"The formula term {code[:60]!r} is nested too deeply.") from None


class _Checker:
    """Walks a syntax tree and stops at the first node that is not allowed."""

    def __init__(
        self,
        code: str,
        columns: Collection[str],
        constants: Collection[str],
        functions: Collection[str],
        modules: Collection[str],
    ):
        self.code, self.modules = code, frozenset(modules)
        self.columns, self.values = frozenset(columns), frozenset(columns) | frozenset(constants)
        own = _TRANSFORMS | _CONTRASTS | _BUILTINS | frozenset(functions)
        # A column may not take the place of a function that is called.
        self.functions = own - self.values

    def refuse(self, what: str) -> SmmixError:
        return SmmixError(
            f"The formula term {self.code!r} uses {what}, which a file may not bring along; if "
            "you know where the file comes from, read it with trust=True."
        )

    def visit(self, node: ast.expr) -> None:
        if isinstance(node, ast.BinOp) and isinstance(node.op, _OPERATORS):
            self.all(node.left, node.right)
            if isinstance(node.op, ast.Pow):
                self.power(node)
        elif isinstance(node, ast.UnaryOp):
            self.visit(node.operand)
        elif isinstance(node, ast.BoolOp):
            self.all(*node.values)
        elif isinstance(node, ast.Compare) and all(isinstance(o, _COMPARISONS) for o in node.ops):
            self.all(*(v for v in (node.left, *node.comparators) if not _is_text(v)))
        elif isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            self.name(node)
        elif not _is_number(node):
            raise self.refuse(f"{ast.unparse(node)} in this place")

    def all(self, *nodes: ast.expr) -> None:
        for node in nodes:
            self.visit(node)

    def name(self, node: ast.Name | ast.Attribute) -> None:
        if isinstance(node, ast.Name):
            if node.id not in self.values:
                raise self.refuse(f"the name {node.id!r}")
        elif not self.is_numpy(node, _NUMPY_CONSTANTS):
            raise self.refuse(f"the attribute {node.attr!r}")

    def power(self, node: ast.BinOp) -> None:
        """Refuse powers of constants that would take for ever to compute."""
        if any(isinstance(n, ast.Name) and n.id in self.columns for n in ast.walk(node)):
            return
        small = _is_number(node.left, _LARGEST_BASE), _is_number(node.right, _LARGEST_EXPONENT)
        if not all(small):
            raise self.refuse("a power of large constants")

    def call(self, node: ast.Call) -> None:
        function, options = node.func, False
        if isinstance(function, ast.Attribute):
            if not self.is_numpy(function, NUMPY_FUNCTIONS):
                raise self.refuse(f"{ast.unparse(function)}()")
            if not {keyword.arg for keyword in node.keywords} <= _NUMPY_KEYWORDS:
                raise self.refuse(f"keywords of {ast.unparse(function)}()")
        elif not isinstance(function, ast.Name) or function.id not in self.functions:
            raise self.refuse(f"{ast.unparse(function)}()")
        elif function.id == "Q":
            self.quoted(node)
            return
        else:
            options = function.id in _TAKE_OPTIONS
            if any(keyword.arg is None for keyword in node.keywords):
                raise self.refuse("** in a call")
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if not (options and self.is_option(argument)):
                self.visit(argument)

    def is_option(self, node: ast.expr) -> bool:
        """Whether an argument is text, None, the name of a contrast, or a list of constants."""
        if isinstance(node, ast.List | ast.Tuple):
            return all(_is_number(item) or _is_text(item) for item in node.elts)
        if isinstance(node, ast.Name):
            return node.id in _CONTRASTS - self.values
        return _is_text(node) or (isinstance(node, ast.Constant) and node.value is None)

    def quoted(self, node: ast.Call) -> None:
        name = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if not (isinstance(name, ast.Constant) and name.value in self.columns):
            raise self.refuse("Q() of something that is no column")

    def is_numpy(self, node: ast.Attribute, names: Collection[str]) -> bool:
        owner = node.value
        return (
            isinstance(owner, ast.Name)
            and owner.id in self.modules - self.values
            and node.attr in names
        )


def _is_number(node: ast.expr, largest: float = float("inf")) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        node = node.operand
    if not isinstance(node, ast.Constant) or not isinstance(node.value, int | float):
        return False
    return abs(node.value) <= largest


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
