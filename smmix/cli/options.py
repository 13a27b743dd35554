"""The options of each command, and what their texts stand for."""

import argparse
from typing import Any

from smmix.cli.families import read_family_text
from smmix.errors import SmmixError
from smmix.inference.covariance import COV_TYPES
from smmix.mixture.prediction import WHICH

__all__ = [
    "describe_fit",
    "describe_ols",
    "describe_predict",
    "describe_select",
    "describe_simulate",
    "model_and_fit_options",
]


def _describe_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="CSV or Parquet; - is CSV on stdin")
    parser.add_argument("--dataset", metavar="NAME", help="a data set that ships with statsmodels")
    csv = parser.add_argument_group("how the CSV is written, where it leaves a doubt")
    csv.add_argument("--sep", metavar="SIGN", help="between fields: ';', tab, space, ..")
    csv.add_argument("--decimal", metavar="SIGN", help="decimal mark, such as ','")
    csv.add_argument("--thousands", metavar="SIGN", help="mark of thousands: '.', ',', space, ..")
    csv.add_argument("--na", metavar="TEXTS", help="texts that stand for a missing value: -9,?")
    csv.add_argument("--encoding", metavar="NAME", help="such as cp1252 or latin-1")


def _describe_model(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--family",
        default="gaussian",
        help="of the components: poisson, student_t(df=4), or poisson,zero: one for each",
    )
    add("--exposure", metavar="COLUMN", help="its log is added to the linear predictor")
    add("--trials", metavar="COLUMN", help="trials of which the response are the successes")
    add("--event", metavar="COLUMN", help="1 where a time ended with the event, 0 where cut off")
    add("--error-variance", metavar="COLUMN", help="known variance of the error of each response")
    add("--shared", metavar="NAMES", help="parameters that all components share: alpha")
    add("--concomitant", metavar="FORMULA", help="covariates of the mixing weights, such as z1")
    add("--groups", metavar="COLUMN", help="rows of a group share one component")
    add("--weights", metavar="COLUMN", help="frequency weights")
    add("--prob-weights", metavar="COLUMN", help="sampling weights")
    add("--offset", metavar="COLUMN")
    add("--variance", choices=["free", "equal"], default="free")
    add("--common", metavar="TERMS", help="terms whose coefficients all components share: x1,x2")
    # Clusters have an option of their own, which names their column.
    types = [name for name, kind in COV_TYPES.items() if "groups" not in kind.options]
    add("--cov-type", choices=types, help="of the standard errors")
    add("--cluster", metavar="COLUMN", help="standard errors robust to clusters")
    add("--method", choices=["em-newton", "em"], default="em-newton")
    add("--starts", type=_positive, metavar="N", help="number of starting values")
    add("--maxiter", type=_positive, metavar="N")
    add("--seed", type=_whole, default=0, metavar="N")
    add("--threads", type=_positive, metavar="N")
    add("--quiet", action="store_true", help="no progress on standard error")


def _describe_output(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of tables")
    form.add_argument("--latex", action="store_true", help="print the tables in LaTeX")
    form.add_argument("--html", action="store_true", help="print the tables in HTML")
    parser.add_argument(
        "--test", action="append", default=[], metavar="HYPOTHESIS", help='"x1[0] = x1[1]"; again'
    )
    parser.add_argument("--report", metavar="FILE", help="a page with tables and figures: .html")
    parser.add_argument("--plot", metavar="FILE", help="a picture: .png, .pdf, .svg")
    parser.add_argument("--save", metavar="FILE", help="the fit as JSON, for smmix predict")


def describe_fit(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``smmix fit``."""
    parser.add_argument("formula", metavar="FORMULA", help='such as "y ~ x1 + x2"')
    _describe_data(parser)
    parser.add_argument(
        "-k", "--k", type=_positive, default=2, help="number of components (default 2)"
    )
    _describe_model(parser)
    _describe_output(parser)


def describe_select(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``smmix select``."""
    parser.add_argument("formula", nargs="?", metavar="FORMULA", help="not with --response")
    _describe_data(parser)
    parser.add_argument("--response", metavar="COLUMN", help="all other columns are regressors ..")
    parser.add_argument("--exclude", default="", metavar="COLUMNS", help=".. but these: id,label")
    parser.add_argument(
        "-k", "--k", type=_k_range, default="auto", help="1:5 or 1,2,4; auto stops by itself"
    )
    parser.add_argument("--criterion", default="bic", help="bic (the default), icl, aic, ..")
    _describe_model(parser)
    _describe_output(parser)


def describe_simulate(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``smmix simulate``."""
    add = parser.add_argument
    add("--n", type=_positive, default=1000, help="rows (default 1000)")
    add("--coef", type=_matrix, help='a row per component, intercept first: "0.5,1.5; 1,2"')
    add("--features", type=_positive, help="number of regressors, when --coef is to be drawn")
    add("-k", "--k", type=_positive, help="number of components, when --coef is to be drawn")
    add("--family", default="gaussian", help="poisson, .., or one for each component")
    add("--sigma", type=_vector, help="one for all or one per component (default 1)")
    add(
        "--nuisance", action="append", default=[], metavar="NAME=VALUES",
        help="another parameter of the family: alpha=0.5, or one for each component; again",
    )  # fmt: skip
    add("--trials", type=_positive, metavar="N", help="of each row of a binomial response")
    add("--weights", type=_vector, help="mixing weights (default equal)")
    add("--mixing", type=_matrix, help="or logits of components 1, 2, .. on z1, z2, ..: 0.5,1")
    add("--n-groups", type=_positive, help="rows form so many groups, each of one component")
    add("--seed", type=_whole, default=0)
    add("-o", "--output", metavar="FILE", help="CSV or Parquet (default: CSV on standard output)")


def describe_predict(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``smmix predict``."""
    parser.add_argument("fit", metavar="FIT", help="a file written by --save")
    _describe_data(parser)
    parser.add_argument(
        "--which",
        default="mean",
        choices=WHICH,
    )
    parser.add_argument("--q", type=_vector, metavar="Q", help="probabilities of the quantiles")
    parser.add_argument("--intervals", action="store_true", help="of the mean and of observations")
    parser.add_argument("--append", action="store_true", help="behind the columns of the table")
    parser.add_argument("--trust", action="store_true", help="run any function the formula names")
    parser.add_argument("-o", "--output", metavar="FILE", help="CSV or Parquet (default: stdout)")


def describe_ols(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``smmix ols``."""
    parser.epilog = '"F N", N rows of F features and y, then T and T rows of F features'


def model_and_fit_options(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keyword arguments of ``from_formula`` and of ``fit`` that the options mean."""
    common = args.common
    if common is not None and not common.lstrip().startswith("~"):
        common = _names(common)
    model = {
        "family": read_family_text(args.family),
        "exposure": args.exposure,
        "trials": args.trials,
        "event": args.event,
        "error_variance": args.error_variance,
        "shared": None if args.shared is None else _names(args.shared),
        "concomitant": args.concomitant,
        "groups": args.groups,
        "freq_weights": args.weights,
        "prob_weights": args.prob_weights,
        "offset": args.offset,
        "variance": args.variance,
        "common": common,
    }
    fit: dict[str, Any] = {"method": args.method, "rng": args.seed, "cov_type": args.cov_type}
    if args.cluster is not None:
        if args.cov_type is not None:
            raise SmmixError("give --cov-type or --cluster, not both.")
        fit |= {"cov_type": "cluster", "cov_kwds": {"groups": args.cluster}}
    if args.cov_type == "bootstrap":
        fit["cov_kwds"] = {"rng": args.seed, "threads": args.threads}
        fit["cov_kwds"] |= {"progress": False} if args.quiet else {}
    optional = {"n_starts": args.starts, "maxiter": args.maxiter, "threads": args.threads}
    fit |= {key: value for key, value in optional.items() if value is not None}
    return model, fit | ({"progress": False} if args.quiet else {})


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 0 or more")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def _vector(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 1,2.5") from error


def _matrix(text: str) -> list[list[float]]:
    rows = [_vector(row) for row in text.strip().strip(";").split(";")]
    if len({len(row) for row in rows}) > 1:
        raise argparse.ArgumentTypeError(f"the rows of {text!r} differ in length")
    return rows


def _k_range(text: str) -> str | range | list[int]:
    if text == "auto":
        return text
    try:
        low, colon, high = text.partition(":")
        values = range(int(low), int(high) + 1) if colon else [int(k) for k in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 1:5, 1,2,4 or auto") from error
    if not values:
        raise argparse.ArgumentTypeError(f"{text!r} is an empty range")
    return values
