"""Flask-DebugToolbar, with a panel of the calls. ``DEBUG_TB_ENABLED`` switches it on."""

from __future__ import annotations

from flask import Flask
from flask_debugtoolbar import DebugToolbarExtension

from dynaflask.integrations.debugtoolbar import add_panel


def add_to(app: Flask) -> None:
    """Add the toolbar to the pages of a site."""
    DebugToolbarExtension(app)
    add_panel(app)
