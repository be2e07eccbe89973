"""``ListView``: the list of a model's items, and how one of them is found."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import functools
import typing as t

import flask
import jinja2
from flask_admin.babel import gettext
from flask_admin.model import BaseModelView

from dynaflask.exceptions import BadCursor
from dynaflask.integrations.flask_admin.filters import AttributeFilter
from dynaflask.integrations.flask_admin.filters import Request
from dynaflask.integrations.flask_admin.filters import Selection
from dynaflask.integrations.flask_admin.filters import filters_of
from dynaflask.integrations.flask_admin.filters import range_key_of
from dynaflask.integrations.flask_admin.filters import request_of
from dynaflask.integrations.flask_admin.values import item_id
from dynaflask.integrations.flask_admin.values import key_names
from dynaflask.integrations.flask_admin.values import keys_of
from dynaflask.integrations.flask_admin.values import to_json
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.registry.context import require_scope
from dynaflask.views.pagination import Page


class ListView(BaseModelView):  # type: ignore[misc]  # Flask-Admin comes without types
    """The list of the items of one model, its filters and its pages."""

    list_template = "dynaflask/admin_list.html"
    # By default the keys of the table and of its indexes.
    column_filters: t.Any = None

    def create_blueprint(self, admin: t.Any) -> flask.Blueprint:
        """The blueprint of the view; see Flask-Admin. It finds the template of the list, too."""
        blueprint: flask.Blueprint = super().create_blueprint(admin)
        loaders = [blueprint.jinja_loader, jinja2.PackageLoader(__package__)]
        blueprint.jinja_loader = jinja2.ChoiceLoader([loader for loader in loaders if loader is not None])
        return blueprint

    def get_pk_value(self, model: t.Any) -> str:
        """The id of an item in URLs and forms."""
        return item_id(model)

    def get_one(self, id: t.Any) -> t.Any:  # noqa: A002 - Flask-Admin's name
        """The item with this id, or None."""
        keys = keys_of(self.model, id)
        if keys is None:
            return None
        try:
            # The form must start from what a write would replace.
            return self.model.get(*keys, consistent_read=True)
        except self.model.DoesNotExist:
            return None

    def scaffold_list_columns(self) -> list[str]:
        """The names of all attributes, keys first."""
        keys = key_names(self.model)
        return [*keys, *(name for name in self.model.get_attributes() if name not in keys)]

    def scaffold_sortable_columns(self) -> dict[str, str]:
        """No columns: DynamoDB sorts by the range key alone."""
        return {}

    def get_filters(self) -> list[t.Any] | None:
        """The filters of the list; see Flask-Admin."""
        if self.column_filters is not None:
            return t.cast("list[t.Any] | None", super().get_filters())
        return [each for name in self._all_key_names() for each in self.scaffold_filters(name)]

    def scaffold_filters(self, name: str) -> list[AttributeFilter]:
        """The filters of an attribute; see Flask-Admin.

        Raises:
            ValueError: The model has no such attribute.
        """
        return filters_of(fields_of(self.model, only=[name])[name], self.get_column_name(name))

    def is_valid_filter(self, filter: t.Any) -> bool:  # noqa: A002 - Flask-Admin's name
        """True for a filter of this package."""
        return isinstance(filter, AttributeFilter)

    def get_list(  # noqa: PLR0917 - Flask-Admin passes them by position
        self,
        page: str | int | None,
        sort_field: t.Any,
        sort_desc: bool,
        search: str | None,
        filters: cabc.Sequence[tuple[int, str, str]] | None,
        page_size: int | None = None,
    ) -> tuple[None, cabc.Iterable[t.Any]]:
        """No number of items, which would take a Scan, and one page of them.

        Args:
            page: The cursor of the page. Without one, it is the first.
            sort_field: Not used.
            sort_desc: Not used.
            search: Not used.
            filters: The chosen filters: index, name and text.
            page_size: Items on the page. 0 or None returns all items, read while they are iterated over.
        """
        scope = require_scope(f"The list of {self.model.__name__}", self.model.__dynamo__)
        selections = [
            Selection(self._filters[index], self._filters[index].clean(text)) for index, _, text in filters or ()
        ]
        may_scan = not self.model.__has_tenant_key__ or scope.principal.is_unrestricted
        request = request_of(self.model, selections, may_scan=may_scan)
        if request is None:
            self._ask_for_filter()
            return None, Page([], page_size or 0, None, 0.0)
        if not page_size:
            return None, request.method(*request.args, filter_condition=request.filter_condition)
        return None, self._page(request, page_size, cursor=str(page or ""))

    def _page(self, request: Request, size: int, *, cursor: str) -> Page[t.Any]:
        scope = require_scope(self.model.__name__, self.model.__dynamo__)
        paginate = functools.partial(
            scope.registry.dynamo.paginate,
            request.method,
            *request.args,
            filter_condition=request.filter_condition,
            per_page=size,
            max_per_page=None,
        )
        try:
            return paginate(cursor=cursor)
        except BadCursor:
            flask.flash(gettext("This page belongs to other filters or has expired. Here is the first one."), "error")
            return paginate(cursor="")

    def _ask_for_filter(self) -> None:
        name = self.get_column_name(key_names(self.model)[0])
        message = gettext("Add the filter '%(name)s equals': items of one tenant are listed by their key.", name=name)
        flask.flash(message, "info")

    def _all_key_names(self) -> list[str]:
        """The keys of the table and of its indexes, by their names in the class."""
        owners = [self.model, *indexes(self.model).values()]
        keys = [key for owner in owners for key in (hash_key_attribute(owner), range_key_of(owner)) if key]
        stored = {key.attr_name for key in keys}
        return [name for name, field in fields_of(self.model).items() if field.attribute.attr_name in stored]

    def _get_list_extra_args(self) -> t.Any:
        view_args = super()._get_list_extra_args()
        # Flask-Admin reads a number.
        view_args.page = flask.request.args.get("page", "")
        return view_args

    def _get_field_value(self, model: t.Any, name: str) -> t.Any:
        value = super()._get_field_value(model, name)
        field = fields_of(self.model).get(name)
        # Flask-Admin has formatters for times.
        return value if field is None or isinstance(value, dt.datetime) else to_json(field.attribute, value)
