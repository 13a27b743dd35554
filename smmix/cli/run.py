"""The commands themselves: each takes its parsed options and returns the exit status."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import smmix
from smmix import ols_filter
from smmix.cli.formulas import build_model
from smmix.cli.options import model_and_fit_options
from smmix.cli.report import print_json, print_text, record, say
from smmix.cli.tables import (
    load_dataset,
    read_table,
    require_columns,
    write_table,
)
from smmix.errors import SmmixError

__all__ = ["fit", "ols", "predict", "simulate"]

NOT_CONVERGED = 1


def fit(args: argparse.Namespace) -> int:
    """Fit a finite mixture of regressions and print its summary."""
    frame, name = _data(args)
    _check_call(args, frame, name)
    model_options, fit_options = model_and_fit_options(args)
    with _about(name):
        model = build_model(args.formula, frame, {"k": args.k} | model_options)
        _note_missing(model, frame, name)
        results = model.fit(**fit_options)
    if args.json:
        print_json(record(results, args.formula, name))
    else:
        print_text(results.summary())
    if args.save is not None:
        results.to_json(args.save)
    return 0 if results.converged else NOT_CONVERGED


def simulate(args: argparse.Namespace) -> int:
    """Draw data from a mixture; with --output print the parameters that they come from."""
    simulated = smmix.simulate_mixture(
        n=args.n,
        coef=args.coef,
        sigma=args.sigma[0] if len(args.sigma) == 1 else args.sigma,
        weights=args.weights,
        mixing=args.mixing,
        n_groups=args.n_groups,
        n_features=args.features,
        k=args.k,
        rng=args.seed,
    )
    write_table(simulated.frame, args.output, index=False)
    if args.output is not None:
        n_features = simulated.coef.shape[1] - 1
        names = ["Intercept", *(f"x{j + 1}" for j in range(n_features))]
        truth = pd.DataFrame(simulated.coef, columns=names).rename_axis("component")
        print_text(truth.assign(sigma=simulated.sigma, weight=simulated.weights))
    return 0


def predict(args: argparse.Namespace) -> int:
    """Predict new rows from a saved fit; one row of output for each row of input."""
    results = smmix.read_json(Path(args.fit), trust=args.trust)
    frame, name = _data(args)
    if (args.q is not None) != (args.which == "quantile"):
        raise SmmixError("--which quantile and --q go together.")
    if args.intervals and args.which != "mean":
        raise SmmixError("--intervals are those of --which mean.")
    options = {} if args.q is None else {"q": args.q[0] if len(args.q) == 1 else args.q}
    with _about(name):
        if args.intervals:
            predicted = results.get_prediction(frame).summary_frame()
        else:
            values = results.predict(frame, which=args.which, **options)
            predicted = _table(values, "mean" if args.which == "components" else args.which)
    absent = int(predicted.isna().all(axis=1).sum())
    if absent:
        say(f"note: {name}: {absent} of {len(frame)} rows have missing values and no prediction.")
    write_table(predicted, args.output, index=False)
    return 0


def _table(values: pd.Series | pd.DataFrame, what: str) -> pd.DataFrame:
    if isinstance(values, pd.Series):
        return values.to_frame(what)
    return values.set_axis([f"{what}[{column}]" for column in values], axis=1)


def ols(_: argparse.Namespace) -> int:
    """Read training and new rows from standard input, print least-squares predictions."""
    return ols_filter.run(sys.stdin, sys.stdout, sys.stderr)


def _data(args: argparse.Namespace) -> tuple[pd.DataFrame, str]:
    if (args.file is None) == (args.dataset is None):
        raise SmmixError("give one table: FILE, or --dataset NAME.")
    if args.dataset is not None:
        return load_dataset(args.dataset), f"the data set {args.dataset}"
    return read_table(args.file), "standard input" if args.file == "-" else args.file


@contextlib.contextmanager
def _about(name: str) -> Iterator[None]:
    """Say which table a message is about."""
    try:
        yield
    except SmmixError as error:
        raise SmmixError(f"{name}: {error}") from error


def _note_missing(model: smmix.MixtureOLS, frame: pd.DataFrame, name: str) -> None:
    missing = len(model.missing_rows)
    if missing:
        say(
            f"note: {name}: {missing} of {len(frame)} rows have missing values and are left out, "
            f"the first is row {frame.index[model.missing_rows[0]]}."
        )


def _check_call(args: argparse.Namespace, frame: pd.DataFrame, name: str) -> None:
    """Refuse before the fit what would fail after it."""
    options = ("groups", "weights", "prob_weights", "offset", "cluster")
    given = [(f"--{option.replace('_', '-')}", getattr(args, option)) for option in options]
    require_columns(frame, [pair for pair in given if pair[1] is not None], name)
    if args.save is not None and not Path(args.save).absolute().parent.is_dir():
        raise SmmixError(f"--save: there is no folder {Path(args.save).parent}.")
