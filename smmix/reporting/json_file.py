"""Fits as JSON: everything that predicts, nothing of the data, and no code that runs.

A pickle runs what it likes on loading. A file written here holds numbers and text; the formulas
in it are Python expressions, so each of their factors is checked before anything is evaluated
(`smmix.formula.safety`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from smmix.errors import SmmixError
from smmix.inference.criteria import Criteria
from smmix.mixture.fitted import Fit, Fitted, fitted_of
from smmix.reporting.saved import SavedFit
from smmix.reporting.summary import summarize
from smmix.support.checks import reason, shown, write_text

__all__ = ["read_json", "to_json"]

FORMAT = "smmix-fit"
VERSION = 1
#: Characters of a path that messages write out.
LONGEST_NAME = 255


def to_json(results: Fit, path: str | Path | None = None) -> str | None:
    """Write a fit, without its data, as JSON.

    Parameters
    ----------
    results : MixtureResults
    path : str or Path, optional
        Where to write; by default the text is returned.

    Returns
    -------
    str or None

    Raises
    ------
    SmmixError
        If a formula uses a value that cannot be written, or the file cannot.

    See Also
    --------
    read_json : reads what this writes.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> results = smmix.from_formula("foodexp ~ income", data, k=2).fit()
    >>> smmix.read_json(results.to_json())
    <SavedFit: foodexp ~ income, k=2, log-likelihood -1378.54, n = 235>
    """
    content = _encode(describe(fitted_of(results)))
    document = {
        "format": FORMAT,
        "version": VERSION,
        "checksum": _checksum(content),
        "content": content,
    }
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    if path is None:
        return text
    write_text(path, text, "The fit")
    return None


def read_json(path_or_text: str | Path, trust: bool = False) -> SavedFit:
    """Read a fit that `to_json` wrote.

    Nothing in the file is run unless ``trust=True``: a factor of a formula may be arithmetic and
    comparisons of columns, a transform of patsy, or an elementary function of NumPy.

    Parameters
    ----------
    path_or_text : str or Path
        A file, or the text itself.
    trust : bool
        Evaluate the formulas whatever they hold, and import the functions that they name. Only
        for files whose origin you know.

    Returns
    -------
    SavedFit
        Estimates, their covariance, and predictions for new data.

    Raises
    ------
    SmmixError
        If there is no such file, it is damaged or of another kind, or a formula in it is refused.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> import smmix
    >>> data = sm.datasets.engel.load_pandas().data
    >>> text = smmix.from_formula("foodexp ~ income", data, k=2).fit().to_json()
    >>> smmix.read_json(text).predict({"income": [500.0, 900.0]}).shape
    (2,)
    """
    what, text = _text(path_or_text)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SmmixError(f"{what} is not JSON ({reason(error)}); it may be cut off.") from error
    content = _content(document, what)
    try:
        return SavedFit.of(_decode(content), trust=trust)
    except SmmixError:
        raise
    except Exception as error:
        # Whatever is wrong inside, from a missing key to a matrix of the wrong shape, is damage.
        raise SmmixError(
            f"{what} does not describe a fit ({type(error).__name__}: {reason(error)})."
        ) from error


def _text(path_or_text: str | Path) -> tuple[str, str]:
    """What was given, in words, and its text."""
    if isinstance(path_or_text, str) and path_or_text.lstrip()[:1] in ("{", "["):
        return "The text", path_or_text
    if not isinstance(path_or_text, str | Path):
        raise SmmixError(
            f"read_json needs a path or the text itself, not {type(path_or_text).__name__}."
        )
    name = str(path_or_text)
    # Longer than a file's name can be: a text that has lost its beginning.
    name = repr(name) if len(name) <= LONGEST_NAME else shown(name)
    try:
        return f"The file {name}", Path(path_or_text).read_text(encoding="utf-8")
    except OSError as error:
        raise SmmixError(f"The file {name} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SmmixError(f"The file {name} is not text, so it is no fit of smmix.") from error


def _content(document: Any, what: str) -> Any:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise SmmixError(f"{what} is no fit of smmix; write one with results.to_json().")
    if document.get("version") != VERSION:
        raise SmmixError(
            f"{what} has version {document.get('version')!r} of the format, this smmix reads "
            f"version {VERSION}; use the smmix that wrote it."
        )
    content = document.get("content")
    if document.get("checksum") != _checksum(content):
        raise SmmixError(f"{what} is damaged or was edited: its checksum does not match.")
    return content


def _checksum(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()


# -- values -----------------------------------------------------------------------------------


def _encode(value: Any) -> Any:
    """A value in terms of JSON; what JSON lacks becomes {"$kind": ..}."""
    if isinstance(value, np.generic) and not isinstance(value, np.longdouble):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, tuple):
        return {"$tuple": [_encode(item) for item in value]}
    if isinstance(value, np.ndarray | np.longdouble) and value.dtype == np.longdouble:
        # patsy keeps means in extended precision: as the double and what is left of it.
        high = np.asarray(value).astype(np.float64)
        return {"$extended": [_encode(high), _encode((value - high).astype(np.float64))]}
    if isinstance(value, np.ndarray):
        items = [_encode(item) for item in value.ravel().tolist()]
        return {"$array": items, "shape": list(value.shape), "dtype": value.dtype.name}
    if isinstance(value, pd.Timestamp):
        return {"$time": value.isoformat()}
    if isinstance(value, dict):
        return {"$dict": [[_encode(k), _encode(v)] for k, v in value.items()]}
    raise SmmixError(f"A {type(value).__name__} ({str(value)[:40]}) cannot be written as JSON.")


def _decode(value: Any) -> Any:
    """The value that `_encode` wrote."""
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), "")
    if kind not in _DECODERS:
        raise SmmixError(f"The file holds an unknown kind of value, {kind!r}.")
    return _DECODERS[kind](value)


def _decode_array(value: dict[str, Any]) -> np.ndarray:
    if value["dtype"] not in _DTYPES:
        raise SmmixError(f"The file holds an array of the unknown kind {value['dtype']!r}.")
    items = [_decode(item) for item in value["$array"]]
    return np.array(items, dtype=value["dtype"]).reshape(value["shape"])


def _decode_extended(value: dict[str, Any]) -> np.ndarray:
    high, low = (_decode(part) for part in value["$extended"])
    return np.asarray(high, dtype=np.longdouble) + low


_DTYPES = {"bool", "float64", "int64", "object", "float32", "int32", "int8", "uint8"}
_DECODERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$float": lambda value: float(value["$float"]),
    "$tuple": lambda value: tuple(_decode(item) for item in value["$tuple"]),
    "$time": lambda value: pd.Timestamp(value["$time"]),
    "$dict": lambda value: {_decode(k): _decode(v) for k, v in value["$dict"]},
    "$array": _decode_array,
    "$extended": _decode_extended,
}


def describe(fitted: Fitted) -> dict[str, Any]:
    """A fit as plain values: the model's layout and formulas, the estimates, and how good it is.

    Raises
    ------
    SmmixError
        If a formula uses something that has no plain value.
    """
    return {
        "model": fitted.specification.to_plain(),
        "params": fitted.params,
        "cov_params": fitted.covariance,
        "cov_type": fitted.cov_type,
        "use_t": fitted.use_t,
        "df_resid": float(fitted.df_t),
        "llf": fitted.llf,
        "nobs": float(fitted.nobs),
        "converged": fitted.converged,
        "status": fitted.status,
        "mean_prior": list(fitted.mean_prior),
        "criteria": Criteria.of(fitted).table.to_dict(),
        "summary": str(summarize(fitted)),
    }
