"""What the commands print and write: JSON records, pictures, saved fits."""

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import smmix
from smmix.errors import SmmixError
from smmix.inference.table import parameter_table

__all__ = [
    "deliver",
    "print_json",
    "print_summary",
    "print_tests",
    "print_text",
    "record",
    "require_picture",
    "say",
    "test_records",
]


def say(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"smmix: {' '.join(text.split())}\n")


def require_picture(path: str) -> None:
    """Refuse a picture file that matplotlib cannot write, before the fit rather than after it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise SmmixError('--plot needs matplotlib (pip install "smmix[plot]").') from error
    known = sorted(FigureCanvasAgg.get_supported_filetypes())
    if Path(path).suffix.lower().lstrip(".") not in known:
        raise SmmixError(f"--plot: {path!r} should end in one of .{', .'.join(known)}.")


def deliver(args: argparse.Namespace, draw: Callable[[], Any], results: Any) -> None:
    """Write the files that --plot and --save ask for."""
    if args.plot is not None:
        import matplotlib as mpl

        mpl.use("agg")
        # One panel, or several of one figure.
        np.ravel(draw())[0].figure.savefig(args.plot)
    if args.save is not None:
        results.to_json(args.save)


def test_records(results: Any, hypotheses: list[str]) -> list[dict[str, Any]]:
    """Wald tests of the hypotheses of --test, as plain values."""
    tests = [results.wald_test(text) for text in hypotheses]
    return [
        {
            "hypothesis": text,
            "statistic": float(np.squeeze(test.statistic)),
            "df": int(test.df_denom),
            "pvalue": float(test.pvalue),
        }
        for text, test in zip(hypotheses, tests, strict=True)
    ]


def print_tests(records: list[dict[str, Any]]) -> None:
    """Print tests, one a line."""
    for test in records:
        print_text(
            f"Wald test of {test['hypothesis']}: chi2({test['df']}) = {test['statistic']:.4g}, "
            f"p = {test['pvalue']:.3g}"
        )


def print_summary(summary: Any, args: argparse.Namespace) -> None:
    """Print a summary as text, or as --latex or --html wants it."""
    if args.latex:
        summary = summary.as_latex()
    elif args.html:
        summary = summary.as_html()
    print_text(summary)


def record(results: Any, formula: str, name: str) -> dict[str, Any]:
    """A fit as plain values: what --json prints."""
    table, nuisance = parameter_table(results), results.nuisance
    return {
        "smmix": smmix.__version__,
        "formula": formula,
        "data": name,
        "family": results.model.specification.family.name,
        "k": int(results.k),
        "nobs": results.nobs,
        "llf": results.llf,
        "df_model": results.df_model,
        "df_resid": results.df_resid,
        "converged": bool(results.converged),
        "status": str(results.status),
        "n_iter": results.n_iter,
        "cov_type": results.cov_type,
        "params": table["estimate"].to_dict(),
        "bse": table["std_err"].to_dict(),
        "pvalues": table["p"].to_dict(),
        "conf_int": {row.Index: [row.lower, row.upper] for row in table.itertuples()},
        **{name: nuisance.loc[name].tolist() for name in nuisance.index},
        "mixing_weights": list(results.mixing_weights),
        "criteria": results.info_criteria().to_dict(),
        "modes": len(results.starts),
    }


def _plain(value: Any) -> Any:
    """Return the value in types that JSON has."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_json(values: dict[str, Any]) -> None:
    """Print as JSON; a number that is not finite becomes null."""
    print_text(json.dumps(_plain(values), indent=2, ensure_ascii=False))


def print_text(text: object) -> None:
    """Print a table, as ``str`` gives it, and an end of line."""
    sys.stdout.write(f"{text}\n")
