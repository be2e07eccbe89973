"""Flask-Admin (``pip install "dynaflask[admin]"``): pages on which an operator sees and edits the items of a model."""

from __future__ import annotations

from dynaflask.extras import required_extra

# Before the imports of modules that need Flask-Admin, so that the error names the extra.
with required_extra("admin", reason="dynaflask.integrations.flask_admin is for Flask-Admin"):
    import flask_admin  # noqa: F401

from dynaflask.integrations.flask_admin.filters import AttributeFilter
from dynaflask.integrations.flask_admin.forms import ItemForm
from dynaflask.integrations.flask_admin.view import ModelView

__all__ = ["AttributeFilter", "ItemForm", "ModelView"]
