"""Flask-Admin (``pip install "dynaflask[admin]"``): pages on which an operator sees and edits the items of a model."""

from __future__ import annotations

from dynaflask.exceptions import install_hint

# Before the imports of modules that need Flask-Admin, so that the error names the extra.
try:
    import flask_admin  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"dynaflask.integrations.flask_admin is for Flask-Admin, and {install_hint(error, extra='admin')}",
        name=error.name,
    ) from error

from dynaflask.integrations.flask_admin.filters import AttributeFilter
from dynaflask.integrations.flask_admin.forms import ItemForm
from dynaflask.integrations.flask_admin.view import ModelView

__all__ = ["AttributeFilter", "ItemForm", "ModelView"]
