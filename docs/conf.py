"""How the documentation is built: ``python -m sphinx -W -b html docs docs/_build/html``."""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))
os.environ.setdefault("MPLBACKEND", "agg")

import smmix

project = "smmix"
author = "the smmix developers"
copyright = "2026, the smmix developers"
release = version = smmix.__version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "mathml",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
exclude_patterns = ["_build", "examples/README.md", "records/*"]
templates_path = ["_templates"]
default_role = "py:obj"

# -- Markdown and notebooks -------------------------------------------------------------------
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
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


def escape_bars(app, what, name, obj, options, lines):
    """``|score|`` is an absolute value, not a substitution."""
    lines[:] = [re.sub(r"(?<![`|\w])\|(\w+)\|", r"\\|\1\\|", line) for line in lines]


def setup(app):
    app.connect("autodoc-process-docstring", escape_bars)
