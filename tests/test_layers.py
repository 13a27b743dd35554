"""Who may import whom, and what `import smmix` may load."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_import_contracts_are_kept():
    cli = pytest.importorskip("importlinter.cli")
    assert cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_importing_smmix_loads_no_optional_package():
    # pandas itself loads pyarrow where it is installed, hence the comparison.
    dependencies = "import pandas, patsy, scipy, statsmodels.base.model, statsmodels.formula.api"
    optional = {"matplotlib", "pyarrow", "polars", "dask", "distributed", "sklearn", "hypothesis"}
    assert not (loaded_by("import smmix") - loaded_by(dependencies)) & optional


def test_no_module_of_the_package_writes_to_standard_output_on_import():
    done = subprocess.run(
        [sys.executable, "-c", "import smmix, smmix.cli"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.stdout, done.stderr) == ("", "")


def documented(node: ast.AST) -> bool:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None


def code_lines(path: Path) -> int:
    """Lines that are neither blank, nor a comment, nor part of a docstring."""
    text = path.read_text(encoding="utf-8")
    strings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if documented(node):
            strings.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in strings
        for number, line in lines
    )


def test_every_file_of_the_package_stays_readable():
    lengths = {
        str(path.relative_to(ROOT)): code_lines(path) for path in (ROOT / "smmix").rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_every_function_of_the_package_stays_readable():
    lengths = {}
    for path in (ROOT / "smmix").rglob("*.py"):
        text = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(text))):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if documented(node) and len(node.body) > 1 else node.body[0]
                head = text[node.lineno - 1 : node.body[0].lineno - 1]
                body = text[first.lineno - 1 : node.end_lineno]
                code = [line.strip() for line in head + body]
                length = sum(bool(line) and not line.startswith("#") for line in code)
                lengths[f"{path.name}: {node.name}"] = length
    assert {name: length for name, length in lengths.items() if length >= 60} == {}


#: Where a user may name the deviation of Gaussian errors: `sigma`, `sigmas()`, `variance=`.
NAMES_SIGMA = {
    "cli/options.py",
    "cli/run.py",
    "inference/covariance.py",
    "mixture/fitted.py",
    "mixture/kind.py",
    "mixture/specification.py",
    "model/base.py",
    "reporting/notes.py",
    "reporting/page.py",
    "reporting/saved.py",
    "resampling/simulate.py",
    "results/estimates.py",
    "results/uncertainty.py",
    "sklearn/regressor.py",
}


def names_in(path: Path) -> set[str]:
    """Words of names, attributes and strings of a file, its docstrings apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if documented(node):
            node.body = node.body[1:] or [ast.Pass()]
    return set(re.findall(r"\w+", ast.unparse(tree)))


def test_only_families_and_the_public_names_know_sigma():
    package = ROOT / "smmix"
    naming = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if {"sigma", "sigmas", "sigma_"} & names_in(path)
    }
    assert {name for name in naming if not name.startswith("families/")} <= NAMES_SIGMA


def test_no_import_is_for_types_alone_where_that_would_hide_a_layer():
    """The layers count imports under TYPE_CHECKING as any other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "exclude_type_checking_imports" not in settings["tool"]["importlinter"]
