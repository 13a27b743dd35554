"""How the documentation is built: ``python -m sphinx -W -b html docs docs/_build/html``."""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

import matplotlib as mpl

import smmix

mpl.use("agg")
os.environ.pop("MPLBACKEND", None)  # the notebooks draw inline

project = "smmix"
author = "the smmix developers"
copyright = "2026, the smmix developers"
release = version = smmix.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "mathml",
    "myst_nb",
    "numpydoc",
    "search_words",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
exclude_patterns = ["_build", "records/*"]
templates_path = ["_templates"]
default_role = "py:obj"

# -- the notebooks of examples/, with their paths as seen from here ------------------------------
NOTEBOOKS = HERE / "examples"
NOTEBOOKS.mkdir(exist_ok=True)
sources = {path.name: path for path in (HERE.parent / "examples").glob("[a-z]*.md")}
for stale in {path.name for path in NOTEBOOKS.glob("*.md")} - set(sources):
    (NOTEBOOKS / stale).unlink()
for name, path in sources.items():
    text = path.read_text(encoding="utf-8").replace('"../', '"../../')
    text = text.replace('"../../docs/', '"../').replace("](../docs/", "](../")
    copy = NOTEBOOKS / name
    if not copy.exists() or copy.read_text(encoding="utf-8") != text:
        copy.write_text(text, encoding="utf-8")

# -- Markdown and notebooks -------------------------------------------------------------------
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars; the tests run the cells with warnings as errors
nb_render_markdown_format = "myst"

# -- pictures ---------------------------------------------------------------------------------
plot_formats = [("png", 120)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_include_source = False
plot_rcparams = {"savefig.bbox": "tight", "figure.dpi": 100}
plot_apply_rcparams = True

# -- reference --------------------------------------------------------------------------------
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# -- look -------------------------------------------------------------------------------------
html_theme = "furo"
html_title = f"smmix {release}"
html_static_path = ["_static"]
html_css_files = ["smmix.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}


def escape_names(app, what, name, obj, options, lines):
    """``|score|`` is an absolute value, ``coef_`` a name: neither refers to anything.

    Nor do the references that methods inherited from scikit-learn make to its own pages.
    """
    for i, text in enumerate(lines):
        line = lines[i] = re.sub(r":(?:ref|term):`([^`<]+?)(?: *<[^>]*>)?`", r"\1", text)
        if ">>>" not in line and "``" not in line:
            line = re.sub(r"(?<![`|\w])\|(\w+)\|", r"\\|\1\\|", line)
            lines[i] = re.sub(r"(?<![\w`])([a-z]\w*)_(?=[\s,;:.)*]|$)", r"\1\\_", line)


def setup(app):
    app.connect("autodoc-process-docstring", escape_names)
