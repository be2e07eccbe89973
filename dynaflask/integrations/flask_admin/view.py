"""``ModelView``: the pages of one model."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
from flask_admin.actions import action
from flask_admin.babel import gettext
from flask_admin.babel import lazy_gettext
from flask_admin.babel import ngettext
from flask_admin.form import recreate_field
from flask_admin.helpers import is_form_submitted
from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.update import Action
from werkzeug.exceptions import Conflict

from dynaflask.integrations.flask_admin.forms import ItemForm
from dynaflask.integrations.flask_admin.forms import StateMixin
from dynaflask.integrations.flask_admin.forms import item_state
from dynaflask.integrations.flask_admin.forms import make_field
from dynaflask.integrations.flask_admin.forms import make_key_field
from dynaflask.integrations.flask_admin.list_view import ListView
from dynaflask.integrations.flask_admin.values import key_names
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.sizes import size_errors
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.views.error_responses import to_http_exception

# Fields of a form that no rule of the form names, and that no form may lose.
TOKENS = frozenset({"csrf_token", "item_state_token"})


class ModelView(ListView):
    """The pages of one model in Flask-Admin: a list, and forms to create, edit and delete items.

    A view acts for the current app and its current tenant, as any other code does. Whether a person may see it is the
    program's decision: override ``is_accessible``.

    - The list is a Query if a filter has a hash key of the table or of an index, and otherwise a Scan. A page has links
      to the first and to the next one.
    - A new item replaces no other. An edit changes the attributes that the person changed, unless the item has changed
      since the form was opened. It changes no keys.
    - A form is refused if another site, another tenant or another app sends it.

    The options of Flask-Admin's views apply, except those for sorting, for searching and for editing in the list.

    Args:
        model: The model.
        *args: Arguments of Flask-Admin's ``BaseModelView``, such as ``name``.
        **options: The same: ``category``, ``endpoint``, ``url``.
    """

    form_base_class = ItemForm

    def scaffold_form(self) -> type:
        """A form with the fields that a person may set; see Flask-Admin's ``form_columns`` and its other options."""
        excluded = self.form_excluded_columns or ()
        fields = fields_of(self.model, only=self.form_columns, exclude=excluded)
        names = self.form_columns or self.scaffold_list_columns()
        editable = [name for name in names if name in fields and not fields[name].is_read_only]
        own = {name: self._field(name) for name in editable}
        extra = {name: recreate_field(field) for name, field in (self.form_extra_fields or {}).items()}
        return type(f"{self.model.__name__}Form", (self.form_base_class,), {**own, **extra})

    def _field(self, name: str) -> t.Any:
        options = {"label": self.get_column_name(name), **(self.form_args or {}).get(name, {})}
        override = (self.form_overrides or {}).get(name)
        return override(**options) if override else make_field(fields_of(self.model)[name], **options)

    def get_edit_form(self) -> type:
        """A form that shows the keys, and knows the state of the item."""
        form = super().get_edit_form()
        fields = fields_of(self.model)
        names = [name for name in key_names(self.model) if hasattr(form, name)]
        keys = {name: make_key_field(fields[name], label=self.get_column_name(name)) for name in names}
        for name, key in keys.items():
            # WTForms sorts the fields by it.
            key.creation_counter = getattr(form, name).creation_counter
        return type(f"{form.__name__}ForEdit", (StateMixin, form), keys)

    def edit_form(self, obj: t.Any = None) -> t.Any:
        """The form of an item."""
        form = super().edit_form(obj)
        if not is_form_submitted():
            form.item_state_token.data = item_state(obj)
        return form

    def validate_form(self, form: t.Any) -> bool:
        """True if a form was sent, and is valid.

        Raises:
            BadRequest: Another site sent the form, or it was opened in another session, app or tenant. It is not shown
                again: a second click would save it here.
        """
        is_valid = bool(super().validate_form(form))
        if "csrf_token" in form and form.csrf_token.errors:
            flask.abort(400, "This form was opened in another session or for another tenant. Open it again.")
        return is_valid

    def _validate_form_instance(self, ruleset: t.Any, form: t.Any, remove_missing: bool = True) -> None:
        # Flask-Admin would drop the tokens, too, which no rule names, and not check them.
        missing = set(self._get_ruleset_missing_fields(ruleset, form)) - TOKENS
        self._remove_fields_from_form_instance(missing, form)

    def create_model(self, form: t.Any) -> t.Any:
        """A new item, or False if there is one with these keys, or it is too large."""
        values = {name: form[name].data for name in fields_of(self.model) if name in form}
        item = self.model(**{name: value for name, value in values.items() if value is not None})
        self._on_model_change(form, item, True)
        if not self._fits(form, item):
            return False
        condition = hash_key_attribute(self.model).does_not_exist()
        if not self._write(form, lambda: item.save(condition=condition), gettext("There is an item with these keys.")):
            return False
        self.after_model_change(form, item, True)
        return item

    def update_model(self, form: t.Any, model: t.Any) -> bool:
        """True if the item was changed; False if somebody else has changed or deleted it, or it is too large."""
        changed = gettext("The item has changed since this form was opened. Open it again, and repeat the change.")
        if form.item_state_token.data != item_state(model):
            return _refuse(form, changed)
        before = model.serialize(null_check=False)
        for name, field in fields_of(self.model).items():
            if name in form and not (field.is_key or field.is_read_only):
                setattr(model, name, form[name].data)
        self._on_model_change(form, model, False)
        if not self._fits(form, model):
            return False
        actions = _changes(self.model, model, before)
        # An update of an item that is gone would create one.
        condition = hash_key_attribute(self.model).exists()
        if actions and not self._write(form, lambda: model.update(actions=actions, condition=condition), changed):
            return False
        self.after_model_change(form, model, False)
        return True

    def delete_model(self, model: t.Any) -> bool:
        """True if the item was deleted; False if it has changed since it was read."""
        self.on_model_delete(model)
        if not self._write(None, model.delete, gettext("The item has just changed. Look at it, and delete it again.")):
            return False
        self.after_model_delete(model)
        return True

    def is_action_allowed(self, name: str) -> bool:
        """True if the view offers an action."""
        return (name != "delete" or self.can_delete) and bool(super().is_action_allowed(name))

    @action("delete", lazy_gettext("Delete"), lazy_gettext("Are you sure you want to delete selected records?"))  # type: ignore[untyped-decorator]
    def action_delete(self, ids: list[str]) -> None:
        """Delete the chosen items.

        Args:
            ids: Ids of the items. One that is gone is skipped.
        """
        count = sum(self.delete_model(item) for item in map(self.get_one, ids) if item is not None)
        one, many = "Record was successfully deleted.", "%(count)s records were successfully deleted."
        flask.flash(ngettext(one, many, count, count=count), "success")

    def _fits(self, form: t.Any, item: t.Any) -> bool:
        """True if the item and its keys are not too large. The form names the fields that are."""
        errors = size_errors(item)
        for name, reason in errors.items():
            if name in form:
                form[name].errors = [*form[name].errors, reason]
            else:
                _refuse(form, reason)
        return not errors

    def _write(self, form: t.Any, write: t.Callable[[], t.Any], conflict: str) -> bool:
        """True if the write succeeded; False if its condition failed. Other errors leave the view."""
        try:
            write()
        except PynamoDBException as error:
            if not isinstance(to_http_exception(error), Conflict):
                raise
            return _refuse(form, conflict)
        return True


def _refuse(form: t.Any, reason: str) -> bool:
    flask.flash(reason, "error")
    if form is not None:
        form.form_errors.append(reason)
    return False


def _changes(model: t.Any, item: t.Any, before: cabc.Mapping[str, t.Any]) -> list[Action]:
    """The actions of an update: SET the attributes that have changed, and REMOVE those that are gone."""
    after = item.serialize()
    changed = {
        name: field.attribute
        for name, field in fields_of(model).items()
        if before.get(field.attribute.attr_name) != after.get(field.attribute.attr_name)
        and not (field.is_key or field.is_read_only)
    }
    return [
        attribute.set(getattr(item, name)) if attribute.attr_name in after else attribute.remove()
        for name, attribute in changed.items()
    ]
