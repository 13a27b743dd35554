"""Who may import whom, and what `import smmix` may load."""

import ast
import subprocess
import sys
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


def code_lines(path: Path) -> int:
    """Lines that are neither blank, nor a comment, nor part of a docstring."""
    text = path.read_text(encoding="utf-8")
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None:
            documented.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), start=1)
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in documented
        for number, line in lines
    )


def test_every_file_of_the_package_stays_readable():
    lengths = {
        str(path.relative_to(ROOT)): code_lines(path) for path in (ROOT / "smmix").rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > 300} == {}
