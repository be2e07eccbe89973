"""How Sphinx builds the documentation."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).with_name("_extensions")))

# The place that builds the site knows the repository's address. A build elsewhere has no links to it.
repository = os.environ.get("READTHEDOCS_GIT_CLONE_URL", "").removesuffix(".git")
if "GITHUB_REPOSITORY" in os.environ:
    repository = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"

project = "dynaflask"
copyright = "dynaflask contributors"
release = importlib.metadata.version("dynaflask")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "settings_table",
    "searchable_messages",
    "short_titles",
    "type_imports",
]
exclude_patterns = ["_build"]
# Docstrings write `Page.next_url`, which help() shows as it is.
default_role = "py:obj"
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
# The default underlines the names of classes and modules, as if they were links.
pygments_dark_style = "github-dark"
html_title = f"dynaflask {version}"
html_search_scorer = str(pathlib.Path(__file__).with_name("_extensions") / "scorer.js")
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
templates_path = ["_templates"]
html_context = {"repository": repository}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/links.html",
        "sidebar/scroll-end.html",
    ]
}
if repository:
    html_theme_options = {
        "source_repository": repository,
        "source_branch": "main",
        "source_directory": "docs/",
    }
