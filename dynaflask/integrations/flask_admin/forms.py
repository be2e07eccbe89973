"""Forms of items: a field for each attribute, and tokens that tie a form to its app, its tenant and its item."""

from __future__ import annotations

import hmac
import json
import typing as t

import flask
import wtforms
from flask_admin.form import SecureForm
from itsdangerous.encoding import want_bytes
from pynamodb.attributes import BooleanAttribute
from wtforms.validators import InputRequired
from wtforms.validators import StopValidation
from wtforms.widgets import TextArea
from wtforms.widgets import TextInput

from dynaflask.integrations.flask_admin.values import from_text
from dynaflask.integrations.flask_admin.values import json_kind
from dynaflask.integrations.flask_admin.values import to_text
from dynaflask.model.bodies.fields import Field
from dynaflask.model.codec.sets import sort_sets
from dynaflask.registry.context import require_scope

PURPOSE: t.Final = "dynaflask admin 1"
# By the kind of an attribute's JSON.
DESCRIPTIONS: t.Final = {
    "date-time": "A date and time with its offset, such as 2026-01-02T03:04:05Z.",
    "byte": "Base64.",
    "array": "A list, as JSON.",
    "object": "An object, as JSON.",
    None: "Any value, as JSON.",
}
ONE_LINE: t.Final = frozenset({"number", "integer", "date-time", "byte"})
BOOLEANS: t.Final = {"true": True, "false": False}


def secret() -> bytes:
    """The key of a form's tokens: that of the app and the tenant that the form is shown for.

    A person may act for several tenants in one session. A form that was opened for one of them is refused for another.
    """
    scope = require_scope("A form of flask_admin.ModelView")
    message = json.dumps([PURPOSE, scope.registry.app_name, scope.tenant])
    # Without a SECRET_KEY, Flask's session raises an error that says so.
    return hmac.new(want_bytes(flask.current_app.secret_key or b""), message.encode(), "sha256").digest()


def item_state(item: t.Any) -> str:
    """A text that differs if any attribute of the item does, and reveals none of them.

    Args:
        item: An item of a model.
    """
    content = json.dumps(sort_sets(item.serialize(null_check=False)), sort_keys=True, default=repr)
    return hmac.new(secret(), content.encode(), "sha256").hexdigest()


class ItemForm(SecureForm):  # type: ignore[misc]  # Flask-Admin comes without types
    """A form with a token against forged requests, which only the app and the tenant of the form accept."""

    class Meta(SecureForm.Meta):  # type: ignore[misc]
        """Options of WTForms."""

        # The token is valid as long as the session.
        csrf_time_limit = None

        @property
        def csrf_secret(self) -> bytes:
            """The key of the token."""
            return secret()


class StateMixin:
    """The state of the item when an edit form was opened."""

    item_state_token = wtforms.HiddenField()


class NotNull(InputRequired):  # type: ignore[misc]  # WTForms comes without types
    """Refuses a field without a value. A string may be empty, if the item has an empty one already."""

    def __init__(self) -> None:
        super().__init__()
        self.field_flags: dict[str, t.Any] = {}

    def __call__(self, form: t.Any, field: t.Any) -> None:
        """Check a field; see WTForms.

        Raises:
            StopValidation: The field has no value.
        """
        if field.data is None and not field.errors:
            raise StopValidation(field.gettext("This field is required."))


class AttributeField(wtforms.Field):  # type: ignore[misc]
    """A field for the values of one attribute: the text of a string, or JSON.

    Args:
        label: The label.
        validators: WTForms' validators.
        attribute_field: The field of the model's bodies.
        **options: Options of a WTForms field.
    """

    def __init__(
        self, label: str | None = None, validators: t.Any = None, *, attribute_field: Field, **options: t.Any
    ) -> None:
        super().__init__(label, validators, **options)
        self._field = attribute_field

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what a person typed; see WTForms.

        Raises:
            ValueError: It is no value of the attribute.
        """
        # A form without the field leaves the value unchanged; so does one that sends it back. Browsers write a line's
        # end as two characters.
        texts = [text.replace("\r\n", "\n") for text in valuelist[:1]]
        if texts and texts[0] != to_text(self._field.attribute, self.object_data).replace("\r\n", "\n"):
            self.data = from_text(self._field, texts[0]) if texts[0] else None

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else to_text(self._field.attribute, self.data)


class KeyField(AttributeField):
    """A field that shows a key. What a client sends in it is ignored."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read nothing."""

    def _value(self) -> str:
        return to_text(self._field.attribute, self.data)


def make_field(field: Field, **options: t.Any) -> t.Any:
    """A WTForms field for an attribute of a model.

    Args:
        field: The field of the model's bodies.
        **options: Options of a WTForms field, which take precedence.
    """
    attribute = field.attribute
    default = attribute.default if attribute.default is not None else attribute.default_for_new
    options = {"default": default, "validators": [], **options}
    if isinstance(attribute, BooleanAttribute):
        return _boolean_field(field, options)
    if not field.is_nullable:
        options["validators"] = [NotNull(), *options["validators"]]
    kind = json_kind(attribute)
    widget = TextInput() if field.is_key or kind in ONE_LINE else TextArea()
    size = {} if isinstance(widget, TextInput) else {"rows": 3 if kind == "string" else 6}
    defaults = {"description": DESCRIPTIONS.get(kind, ""), "widget": widget, "render_kw": size}
    return AttributeField(attribute_field=field, **{**defaults, **options})


def make_key_field(field: Field, **options: t.Any) -> t.Any:
    """A WTForms field that shows a key of an item.

    Args:
        field: The field of the model's bodies.
        **options: Options of a WTForms field.
    """
    return KeyField(attribute_field=field, widget=TextInput(), render_kw={"readonly": True}, **options)


def _boolean_field(field: Field, options: dict[str, t.Any]) -> t.Any:
    # A checkbox cannot show a third state.
    if not field.attribute.null:
        return wtforms.BooleanField(**options)
    return wtforms.SelectField(
        choices=["", *BOOLEANS], coerce=lambda value: BOOLEANS.get(str(value).lower()), **options
    )
