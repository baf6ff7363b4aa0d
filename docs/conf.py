"""Sphinx's configuration: Markdown pages, and a reference from the docstrings."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "jaxgru"
author = "The jaxgru authors"
copyright = author
version = release = installed_version("jaxgru")

extensions = ["myst_parser", "sphinx.ext.autodoc", "docstrings"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "jaxgru"

myst_heading_anchors = 3
default_role = "code"

add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
