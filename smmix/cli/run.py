"""The commands themselves: each takes its parsed options and returns the exit status."""

import argparse
import contextlib
import keyword
import os
import stat
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import smmix
from smmix.cli import ols_stream
from smmix.cli.dialect import Dialect
from smmix.cli.families import read_family_text, read_nuisance
from smmix.cli.formulas import build_model
from smmix.cli.options import model_and_fit_options
from smmix.cli.report import (
    deliver,
    print_json,
    print_summary,
    print_tests,
    print_text,
    record,
    require_picture,
    say,
    test_records,
)
from smmix.cli.tables import (
    PARQUET,
    load_dataset,
    read_table,
    require_columns,
    write_table,
)
from smmix.errors import SmmixError
from smmix.plots import require_matplotlib
from smmix.support.frames import quoted

__all__ = ["fit", "ols", "predict", "select", "simulate"]

# What `smmix simulate` and the generator that smmix replaces call the true component of a row.
LABEL_COLUMNS = ("component", "cluster")
NOT_CONVERGED = 1
#: Options that name a column, which is then no regressor.
COLUMN_OPTIONS = (
    "exposure", "trials", "event", "error_variance", "groups", "weights", "prob_weights", "offset",
    "cluster",
)  # fmt: skip


def fit(args: argparse.Namespace) -> int:
    """Fit a finite mixture of regressions and print its summary."""
    frame, name, note = _data(args)
    _check_call(args, frame, name)
    model_options, fit_options = model_and_fit_options(args)
    with _about(name, note):
        model = build_model(args.formula, frame, {"k": args.k} | model_options)
        _note_missing(model, frame, name)
        results = model.fit(**fit_options)
        tests = test_records(results, args.test)
    if args.json:
        print_json(record(results, args.formula, name) | ({"tests": tests} if tests else {}))
    else:
        print_summary(results.summary(), args)
        print_tests(tests)
    deliver(args, results.plot_fit, results)
    if args.report is not None:
        results.report(args.report)
    return 0 if results.converged else NOT_CONVERGED


def select(args: argparse.Namespace) -> int:
    """Fit several numbers of components and print the criteria and the best fit."""
    if args.response is not None and args.file is None:
        args.formula, args.file = None, args.formula
    frame, name, note = _data(args)
    formula = _formula(args, frame, name)
    _check_call(args, frame, name)
    model_options, fit_options = model_and_fit_options(args)
    with _about(name, note):
        model = build_model(formula, frame, {"k": 1} | model_options)
        _note_missing(model, frame, name)
        selection = smmix.select_k(
            model,
            k=args.k,
            criterion=args.criterion,
            on_fit=None if args.quiet else partial(_tell, args.criterion),
            **fit_options,
        )
    best = selection.best
    with _about(name, ""):
        tests = test_records(best, args.test)
    if args.json:
        print_json(
            {
                "criterion": args.criterion,
                "best_k": selection.best_k,
                "table": selection.table.reset_index().to_dict("records"),
                "best": record(best, formula, name) | ({"tests": tests} if tests else {}),
            }
        )
    else:
        print_summary(selection.summary(), args)
        print_summary(best.summary(), args)
        print_tests(tests)
    deliver(args, selection.plot, best)
    if args.report is not None:
        best.report(args.report, selection=selection)
    return 0 if best.converged else NOT_CONVERGED


def _tell(criterion: str, results: Any) -> None:
    """One line on standard error for each fit of a scan, as soon as it is made."""
    criteria = results.info_criteria()
    shown = criterion if criterion in criteria.index else "llf"
    value = criteria[shown] if shown != "llf" else results.llf
    say(f"k={results.k}: {shown} {value:.2f}")


def _formula(args: argparse.Namespace, frame: pd.DataFrame, name: str) -> str:
    if args.response is None:
        if args.formula is None:
            raise SmmixError("give a formula, or the response with --response COLUMN.")
        if args.exclude:
            raise SmmixError("--exclude goes with --response; leave the column out of the formula.")
        return str(args.formula)
    if args.formula is not None:
        raise SmmixError("give a formula or --response, not both.")
    left_out = [column.strip() for column in args.exclude.split(",") if column.strip()]
    named = [("--exclude", column) for column in left_out]
    require_columns(frame, [("--response", args.response), *named], name)
    for label in LABEL_COLUMNS:
        if label in frame.columns and label not in left_out and label != args.response:
            say(f"note: column {label!r} is taken for the true label and is no regressor.")
            left_out.append(label)
    roles = [getattr(args, role) for role in COLUMN_OPTIONS]
    other = [*roles, args.response, *left_out]
    used = [column for column in frame.columns if column not in other]
    text = [c for c in used if not pd.api.types.is_numeric_dtype(frame[c].dtype)]
    if text:
        plural = len(text) > 1
        say(
            f"note: column{'s' * plural} {quoted(text)} hold{'s' * (not plural)} text and "
            f"{'are' if plural else 'is'} taken for categories; --exclude leaves columns out."
        )
    regressors = [_term(column) for column in used]
    return f"{_term(args.response)} ~ {' + '.join(regressors) or '1'}"


def _term(column: str) -> str:
    plain = column.isidentifier() and not keyword.iskeyword(column)
    return column if plain else f"Q({column!r})"


def simulate(args: argparse.Namespace) -> int:
    """Draw data from a mixture; with --output print the parameters that they come from."""
    simulated = smmix.simulate_mixture(
        n=args.n,
        coef=args.coef,
        sigma=args.sigma[0] if args.sigma is not None and len(args.sigma) == 1 else args.sigma,
        weights=args.weights,
        family=read_family_text(args.family),
        nuisance=read_nuisance(args.nuisance),
        trials=args.trials,
        mixing=args.mixing,
        n_groups=args.n_groups,
        n_features=args.features,
        k=args.k,
        rng=args.seed,
    )
    write_table(simulated.frame, args.output, index=False)
    if args.output is not None:
        constant = ["Intercept"] * simulated.family.intercept
        n_features = simulated.coef.shape[1] - len(constant)
        names = [*constant, *(f"x{j + 1}" for j in range(n_features))]
        truth = pd.DataFrame(simulated.coef, columns=names).rename_axis("component")
        print_text(truth.assign(**simulated.nuisance, weight=simulated.weights))
    return 0


def predict(args: argparse.Namespace) -> int:
    """Predict new rows from a saved fit; one row of output for each row of input."""
    results = smmix.read_json(Path(args.fit), trust=args.trust)
    frame, name, note = _data(args)
    if (args.q is not None) != (args.which == "quantile"):
        raise SmmixError("--which quantile and --q go together.")
    if args.intervals and args.which != "mean":
        raise SmmixError("--intervals are those of --which mean.")
    options = {} if args.q is None else {"q": args.q[0] if len(args.q) == 1 else args.q}
    with _about(name, note):
        if args.intervals:
            predicted = results.get_prediction(frame).summary_frame()
        else:
            values = results.predict(frame, which=args.which, **options)
            predicted = _table(values, "mean" if args.which == "components" else args.which)
    absent = int(predicted.isna().all(axis=1).sum())
    if absent:
        say(f"note: {name}: {absent} of {len(frame)} rows have missing values and no prediction.")
    if args.append:
        twice = [column for column in predicted.columns if column in frame.columns]
        if twice:
            raise SmmixError(
                f"--append: {name} has a column {twice[0]!r} already; rename it, or leave --append "
                "out."
            )
        predicted = pd.concat([frame, predicted.set_axis(frame.index)], axis=1)
    write_table(predicted, args.output, index=False)
    return 0


def _table(values: pd.Series | pd.DataFrame, what: str) -> pd.DataFrame:
    if isinstance(values, pd.Series):
        return values.to_frame(what)
    return values.set_axis([f"{what}[{column}]" for column in values], axis=1)


def ols(_: argparse.Namespace) -> int:
    """Read training and new rows from standard input, print least-squares predictions."""
    return ols_stream.run(sys.stdin, sys.stdout, sys.stderr)


def _data(args: argparse.Namespace) -> tuple[pd.DataFrame, str, str]:
    """The table, what messages call it, and how it was read where that was found out."""
    if (args.file is None) == (args.dataset is None):
        waiting = args.file is None and _is_piped()
        hint = "; - reads the standard input, where something is waiting" if waiting else ""
        raise SmmixError(f"give one table: FILE, or --dataset NAME{hint}.")
    said = [args.sep, args.decimal, args.thousands, args.na, args.encoding]
    dialect = Dialect.of_options(*said)
    if any(option is not None for option in said) and (
        args.file is None or Path(args.file).suffix.lower() in PARQUET
    ):
        raise SmmixError("--sep, --decimal, --thousands, --na and --encoding are for CSV files.")
    if args.dataset is not None:
        return load_dataset(args.dataset), f"the data set {args.dataset}", ""
    frame, note = read_table(args.file, dialect)
    return frame, "standard input" if args.file == "-" else args.file, note


def _is_piped() -> bool:
    """Whether standard input is a pipe or a file."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


@contextlib.contextmanager
def _about(name: str, note: str) -> Iterator[None]:
    """Say which table a message is about, and how it was read."""
    try:
        yield
    except SmmixError as error:
        raise SmmixError(f"{name}{f' ({note})' if note else ''}: {error}") from error
    if note:
        say(f"note: {name}: {note}.")


def _note_missing(model: smmix.MixtureOLS, frame: pd.DataFrame, name: str) -> None:
    missing = len(model.missing_rows)
    if missing:
        say(
            f"note: {name}: {missing} of {len(frame)} rows have missing values and are left out, "
            f"the first is row {frame.index[model.missing_rows[0]]}."
        )


def _check_call(args: argparse.Namespace, frame: pd.DataFrame, name: str) -> None:
    """Refuse before the fit what would fail after it."""
    given = [(f"--{option.replace('_', '-')}", getattr(args, option)) for option in COLUMN_OPTIONS]
    require_columns(frame, [pair for pair in given if pair[1] is not None], name)
    for option in ("plot", "save", "report"):
        path = getattr(args, option)
        if path is not None and not Path(path).absolute().parent.is_dir():
            raise SmmixError(f"--{option}: there is no folder {Path(path).parent}.")
    if args.report is not None and Path(args.report).suffix.lower() not in {".html", ".htm"}:
        raise SmmixError(f"--report: {args.report!r} should end in .html.")
    if args.report is not None:
        require_matplotlib()
    if args.plot is not None:
        require_picture(args.plot)
