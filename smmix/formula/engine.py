"""What smmix asks of patsy, and the only module that imports it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import patsy
import patsy.builtins
from patsy.desc import INTERCEPT, ModelDesc, Term
from patsy.design_info import DesignInfo, FactorInfo
from patsy.eval import EvalEnvironment

from smmix.errors import SmmixError
from smmix.formula.messages import beyond, shortened, summands, unbuilt, unseen_level
from smmix.formula.rows import refuse_infinite
from smmix.support.checks import shown
from smmix.support.frames import quoted

__all__ = [
    "PROVIDED",
    "DesignInfo",
    "Parsed",
    "by_role",
    "caller_names",
    "captured",
    "common_columns",
    "design_infos",
    "design_matrices",
    "evaluate",
    "factor_codes",
    "factor_levels",
    "info_codes",
    "linear_constraint",
    "parse",
    "term_columns",
]

Part = TypeVar("Part")

#: Summands of a long formula that patsy is given at a time.
TERMS_AT_A_TIME = 50
# numpy is known to every formula, so that np.log(x) works from a command line or a JSON file too.
PROVIDED = {name: getattr(patsy.builtins, name) for name in patsy.builtins.__all__} | {"np": np}


def environment(given: Any, frames: int) -> Any:
    """Where names are looked up, as a function ``frames`` further down from the caller sees it.

    Raises
    ------
    SmmixError
        If it is neither a number of frames nor an environment of patsy.
    """
    if isinstance(given, EvalEnvironment):
        return given
    if not isinstance(given, int) or isinstance(given, bool) or given < -1:
        raise SmmixError(
            "eval_env must be a number of frames (-1 for no names at all) or an EvalEnvironment "
            f"of patsy, not {shown(given)}."
        )
    return EvalEnvironment([{}]) if given == -1 else given + frames


def captured(given: Any, frames: int) -> EvalEnvironment:
    """The names seen ``frames`` further down from the caller of the calling function."""
    return EvalEnvironment.capture(environment(given, frames), reference=1)


def caller_names(env: Any) -> Any:
    """Return the names that the caller of the calling function sees, ``env`` frames further up."""
    return EvalEnvironment.capture(env, reference=2).namespace


def evaluate(code: str, columns: Mapping[str, Any], scope: Mapping[str, Any]) -> Any:
    """Evaluate one factor, columns before other names."""
    return EvalEnvironment([scope]).eval(code, inner_namespace=columns)


@dataclass(frozen=True)
class Parsed:
    """The terms of a model's formulas; ``common`` are the entries still to be looked up."""

    response: list[Term]
    exog: list[Term]
    concomitant: list[Term] | None
    common: list[str]
    ancillary: list[Term] | None = None

    @property
    def parts(self) -> list[list[Term]]:
        """The terms of each formula that there is, in the order that `by_role` takes apart."""
        optional = (self.concomitant, self.ancillary)
        return [self.response, self.exog, *(part for part in optional if part is not None)]


def by_role(parts: Sequence[Part], mixing: bool) -> tuple[Part, Part, Part | None, Part | None]:
    """What belongs to the response, the mean, the mixing model and a parameter of the family."""
    response, mean, *further = parts
    concomitant = further.pop(0) if mixing else None
    return response, mean, concomitant, further[0] if further else None


def parse(formula: Any, concomitant: Any, common: Any, ancillary: Any = None) -> Parsed:
    """Read the formulas of a model into terms, those of ``common`` added to the main one."""
    main = _terms(formula, "formula")
    if len(main.lhs_termlist) != 1 or not main.lhs_termlist[0].factors:
        raise SmmixError(
            f"The formula {shown(formula)} must have one response before the '~', as in 'y ~ x'."
        )
    mixing = None
    if concomitant is not None:
        mixing = _one_sided(concomitant, "concomitant").rhs_termlist
    own = None if ancillary is None else _one_sided(ancillary, "family's formula").rhs_termlist
    if any(
        code == "Intercept" for code in factor_codes(main.rhs_termlist, mixing or [], own or [])
    ):
        raise SmmixError("A column named 'Intercept' collides with the constant; rename it.")
    exog = list(main.rhs_termlist)
    entries = _common_entries(common)
    for entry in entries:
        exog += [term for term in _new_terms(entry, exog) if term not in exog]
    return Parsed(main.lhs_termlist, exog, mixing, entries, own)


def _terms(formula: Any, what: str) -> ModelDesc:
    if not isinstance(formula, str):
        example = "y ~ x" if what == "formula" else "~ z"
        raise SmmixError(
            f"The {what} must be text such as {example!r}, not {type(formula).__name__}."
        )
    try:
        return ModelDesc.from_formula(formula)
    except RecursionError:
        return _long_sum(formula, what)
    except patsy.PatsyError as error:
        why = error.message
        if "`" in formula:
            why += '; a column name in backticks is written Q("name")'
        raise SmmixError(f"The {what} {shortened(formula)} cannot be read: {why}.") from error
    except Exception as error:
        # patsy's parser asserts what it takes for granted.
        raise SmmixError(
            f"The {what} {shortened(formula)} cannot be read: an operator stands where a term is "
            'expected; a column name with signs in it is written Q("name").'
        ) from error


def _long_sum(formula: str, what: str) -> ModelDesc:
    """Read a sum of so many terms that patsy, which calls itself for each, cannot."""
    left, tilde, right = formula.rpartition("~")
    has_constant, chunk = True, []
    terms: dict[Term, None] = {}
    pieces = summands(right)
    for number, piece in enumerate(pieces, 1):
        if piece in ("0", "1", "-1"):
            has_constant = piece == "1"
        else:
            chunk.append(piece)
        if chunk and (len(chunk) == TERMS_AT_A_TIME or number == len(pieces)):
            try:
                read = ModelDesc.from_formula(f"~ 0 + {' + '.join(chunk)}").rhs_termlist
            except (patsy.PatsyError, RecursionError) as error:
                why = getattr(error, "message", "it is nested too deeply")
                raise SmmixError(
                    f"The {what} {shortened(formula)} cannot be read: {why}."
                ) from error
            terms |= dict.fromkeys(read)
            chunk = []
    response = _terms(f"{left}~ 1", what).lhs_termlist if tilde and left.strip() else []
    return ModelDesc(response, [*([INTERCEPT] if has_constant else []), *terms])


def _one_sided(formula: Any, what: str) -> ModelDesc:
    read = _terms(formula, what)
    if read.lhs_termlist:
        raise SmmixError(f"{what}={shown(formula)} must be one-sided, as in '~ z1 + z2'.")
    return read


def _common_entries(common: Any) -> list[str]:
    if common is None:
        return []
    if not isinstance(common, str):
        several = isinstance(common, Iterable) and getattr(common, "ndim", 1) > 0
        entries = list(common) if several else [common]
        for entry in entries:
            if not isinstance(entry, str):
                raise SmmixError(
                    f"common must name terms as text, as in ['x2'], not {shown(entry)}."
                )
        return entries
    # A formula's own intercept is shared only if it is written out.
    explicit = re.search(r"(^|[~+])\s*1\s*($|\+)", common) is not None
    terms = _one_sided(common, "common").rhs_termlist
    return [term.name() for term in terms if term != INTERCEPT or explicit]


def _new_terms(entry: str, exog: list[Term]) -> list[Term]:
    if entry == "Intercept":
        return [INTERCEPT]
    # "C(g)[T.b]" and "bs(x, df=4)[0]" are columns of the terms "C(g)" and "bs(x, df=4)".
    stem = re.sub(r"\[[^\[\]]*\](?=:|$)", "", entry)
    if stem != entry and all(t in exog for t in _terms(f"0 + {stem}", "common").rhs_termlist):
        return []
    return list(_one_sided(f"0 + {entry}", "common").rhs_termlist)


def common_columns(entries: list[str], info: DesignInfo) -> list[str]:
    """Return the columns of a design that some terms or column names stand for."""
    names, shared = list(info.column_names), set()
    by_term = {term: info.slice(term) for term in info.terms}
    for entry in entries:
        if entry in names:
            shared.add(entry)
            continue
        terms = [INTERCEPT] if entry == "Intercept" else _terms(f"0 + {entry}", "x").rhs_termlist
        for term in terms:
            if term not in by_term:
                raise SmmixError(
                    f"common names {shown(entry)}, which is no column of the design; "
                    f"its columns are {quoted(names)}."
                )
            shared.update(names[by_term[term]])
    return [name for name in names if name in shared]


def factor_codes(*parts: Iterable[Term]) -> list[str]:
    """Return the expressions of the factors in some lists of terms, each once."""
    return list(dict.fromkeys(f.name() for part in parts for term in part for f in term.factors))


def info_codes(*infos: DesignInfo) -> list[str]:
    """Return the expressions of the factors in some designs, each once."""
    return factor_codes(*(info.terms for info in infos))


def factor_levels(*infos: DesignInfo) -> dict[str, tuple[Any, ...] | None]:
    """Return the levels of each factor of some designs, None for those that are numbers."""
    return {
        factor.name(): known.categories if known.type == "categorical" else None
        for info in infos
        for factor, known in info.factor_infos.items()
    }


def term_columns(info: DesignInfo) -> dict[str, list[int]]:
    """Return the positions of the columns of each term."""
    columns = range(len(info.column_names))
    return {name: list(columns[where]) for name, where in info.term_name_slices.items()}


def design_infos(
    parts: list[list[Term]], frames: Iterable[pd.DataFrame], scope: dict[str, Any]
) -> list[DesignInfo]:
    """Learn levels, means and knots from frames, which may be the blocks of one table.

    They are gone through once for each thing that must be known before the next can be learnt.
    """
    try:
        return patsy.design_matrix_builders(parts, lambda: iter(frames), EvalEnvironment([scope]))
    except patsy.PatsyError as error:
        raise _explained(error) from error
    except Exception as error:
        # Options that a transform does not take show in errors of its own.
        for factor in dict.fromkeys(f for part in parts for term in part for f in term.factors):
            alone, scopes = [[Term([factor])]], EvalEnvironment([scope])
            try:
                patsy.design_matrix_builders(alone, lambda: iter(frames), scopes)
            except Exception as why:  # noqa: BLE001 - whatever the function of a formula raises
                raise unbuilt(factor.name(), why) from error
        raise


def design_matrices(
    infos: Sequence[DesignInfo], frame: pd.DataFrame, rows: pd.Index
) -> list[np.ndarray]:
    """Build the columns of some designs on complete rows."""
    if not len(frame):
        return [np.empty((0, len(info.column_names))) for info in infos]
    try:
        built = patsy.build_design_matrices(list(infos), frame, NA_action="raise")
    except Exception as error:
        _refuse_unseen(infos, frame, rows)
        for factor, known in [item for info in infos for item in info.factor_infos.items()]:
            position = _first_failing(factor, known, frame)
            if position is not None:
                raise beyond(factor.name(), error, rows, position) from error
        if isinstance(error, patsy.PatsyError):
            raise _explained(error) from error
        raise
    matrices = [np.ascontiguousarray(np.asarray(matrix), dtype=np.float64) for matrix in built]
    for info, matrix in zip(infos, matrices, strict=True):
        for column, name in enumerate(info.column_names):
            refuse_infinite(matrix[:, column], f"The column {name!r} of the design", rows)
    return matrices


def _first_failing(factor: Any, known: FactorInfo, frame: pd.DataFrame) -> int | None:
    """Position of the first row on which a factor cannot be evaluated."""

    def works(n_rows: int) -> bool:
        try:
            factor.eval(known.state, frame.iloc[:n_rows])
        except Exception:  # noqa: BLE001 - whatever the function of a formula raises
            return False
        return True

    if works(len(frame)):
        return None
    good, bad = 0, len(frame)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if works(middle) else (good, middle)
    return bad - 1


def _explained(error: patsy.PatsyError) -> SmmixError:
    where = f" {error.origin.relevant_code()!r}" if error.origin is not None else ""
    why = error.message.partition("\n")[0].rstrip(".")
    return SmmixError(f"The formula term{where} cannot be built: {why}.")


def _refuse_unseen(infos: Sequence[DesignInfo], frame: pd.DataFrame, rows: pd.Index) -> None:
    for info in infos:
        for factor, known in info.factor_infos.items():
            if known.type != "categorical":
                continue
            value = factor.eval(known.state, frame)
            column = pd.Series(np.asarray(getattr(value, "data", value), dtype=object))
            unseen = ~column.isin(known.categories).to_numpy()
            if unseen.any():
                position = int(np.argmax(unseen))
                levels = list(known.categories)
                raise unseen_level(factor.name(), column[position], levels, rows, position)


def linear_constraint(names: Sequence[str], constraint: Any) -> tuple[np.ndarray, np.ndarray]:
    """Read linear constraints on named parameters.

    Parameters
    ----------
    names : list of str
        The P parameters.
    constraint : str, list of str, dict or array
        Such as ``"x1[0] = x1[1], x2[2] = 0"``.

    Returns
    -------
    R : (c, P) ndarray
    q : (c,) ndarray
        The constraints are ``R @ params = q``.

    Raises
    ------
    SmmixError
        If the text cannot be read or names an unknown parameter.

    Examples
    --------
    >>> from smmix.formula import linear_constraint
    >>> linear_constraint(["a", "b"], "a = b")[0]
    array([[ 1., -1.]])
    """
    try:
        read = DesignInfo(list(names)).linear_constraint(constraint)
    except (patsy.PatsyError, ValueError, TypeError) as error:
        text = str(getattr(error, "message", error))
        raise SmmixError(
            f"The constraint {shown(constraint)} cannot be read ({text}); "
            f"the parameters are {quoted(list(names))}."
        ) from error
    return np.asarray(read.coefs, dtype=float), np.asarray(read.constants, dtype=float)[:, 0]
