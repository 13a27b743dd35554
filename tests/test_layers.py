"""Who may import whom, and what `import smmix` may load."""

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


def test_every_file_of_the_package_stays_readable():
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / "smmix").rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > 400} == {}
