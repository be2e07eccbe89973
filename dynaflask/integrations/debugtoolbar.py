"""Flask-DebugToolbar (``pip install "dynaflask[debugtoolbar]"``): a panel with the operations of a request.

add_panel(app)
"""

from __future__ import annotations

import typing as t

import flask
import jinja2

from dynaflask.extras import required_extra
from dynaflask.operations.advisor import advise
from dynaflask.operations.operation import Operation
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.context import current_app

with required_extra("debugtoolbar", reason="dynaflask.integrations.debugtoolbar is for Flask-DebugToolbar"):
    from flask_debugtoolbar import panels
    from flask_debugtoolbar import utils

__all__ = ["DynamoPanel", "add_panel"]

PANELS = "DEBUG_TB_PANELS"

# The toolbar's own environment finds only its own templates. Its style sheet styles the tables, and its script sorts
# those of this class.
TEMPLATE = jinja2.Template(
    """
{% if hint %}<p>{{ hint }}</p>{% endif %}
{% if advice %}
<h4>Advice</h4>
<table>
  <thead><tr><th>Line</th><th>Problem</th><th>What to do</th></tr></thead>
  <tbody>
  {% for part in advice %}
    <tr class="{{ loop.cycle('flDebugOdd', 'flDebugEven') }}">
      <td title="{{ part.caller }}">{{ line(part.caller) }}</td><td>{{ part.problem }}</td><td>{{ part.fix }}</td>
    </tr>
  {% endfor %}
  </tbody>
</table>
<h4>Operations</h4>
{% endif %}
{% if operations %}
<table class="flDebugTablesorter">
  <thead>
    <tr>
      <th>Time&nbsp;(ms)</th><th>Operation</th><th>Table</th><th>Bind</th><th>Tenant</th><th>Units</th><th>Items</th>
      <th>Attempts</th><th>Error</th><th>Line</th>
    </tr>
  </thead>
  <tbody>
  {% for operation in operations %}
    <tr class="{{ loop.cycle('flDebugOdd', 'flDebugEven') }}">
      <td>{{ "%.2f"|format(operation.duration_seconds * 1000) }}</td>
      <td>{{ operation.label }}{% if operation.is_consistent %}, consistent{% endif %}</td>
      <td>{{ operation.table or "" }}{% if operation.index_name %} ({{ operation.index_name }}){% endif %}</td>
      <td>{{ operation.bind_key }}</td>
      <td>{{ operation.tenant or "" }}</td>
      <td>{{ "%g"|format(operation.units) }}</td>
      <td>{{ operation.item_count }}{% if operation.scanned_count %} of {{ operation.scanned_count }}{% endif %}</td>
      <td>{{ operation.attempts }}</td>
      <td>
        {{ operation.error or "" }}
        {% for part in operation.throttling_reasons %}<br>{{ part.reason }} {{ part.resource }}{% endfor %}
      </td>
      <td title="{{ operation.caller or '' }}">{{ line(operation.caller) }}</td>
    </tr>
  {% endfor %}
  </tbody>
</table>
{% endif %}
""",
    autoescape=True,
)


class DynamoPanel(panels.DebugPanel):
    """The operations of the request so far, with their time, units and lines, and the advice on them.

    Flask-DebugToolbar makes an object of it for each request. It keeps the class for all apps of the process, so that
    the class refers to none.
    """

    name = "Dynamo"
    has_content = True

    def nav_title(self) -> str:
        """The title in the toolbar."""
        return "DynamoDB"

    def nav_subtitle(self) -> str:
        """The sums in the toolbar."""
        operations = _operations()
        if operations is None:
            return "not recorded"
        calls = "1 call" if len(operations) == 1 else f"{len(operations)} calls"
        milliseconds = 1000 * sum(operation.duration_seconds for operation in operations)
        return f"{calls}, {milliseconds:.1f} ms, {sum(operation.units for operation in operations):g} units"

    def title(self) -> str:
        """The title of the panel."""
        return "DynamoDB"

    def url(self) -> str:
        """The panel is on the page itself."""
        return ""

    def content(self) -> str:
        """The panel, in HTML. The toolbar inserts it as it is, so that it is escaped here."""
        operations = _operations()
        hint = None
        if operations is None:
            hint = "Set DYNAMODB_RECORD_OPERATIONS = True before db.init_app(app), to see the operations of a request."
        elif not operations:
            hint = "The request has made no call to DynamoDB."
        html: str = TEMPLATE.render(operations=operations, advice=advise(operations or []), hint=hint, line=_line)
        return html


def add_panel(app: flask.Flask) -> None:
    """Add the panel to the toolbar of an app, after its other panels. A further call changes nothing.

    Args:
        app: The app, after ``toolbar.init_app(app)``, which sets the default panels.

    Raises:
        RuntimeError: The app has no toolbar yet.
    """
    if PANELS not in app.config:
        raise RuntimeError(
            f"The app {app.name!r} has no Flask-DebugToolbar yet. Call toolbar.init_app(app) before add_panel(app)."
        )
    path = f"{DynamoPanel.__module__}.{DynamoPanel.__qualname__}"
    if path not in app.config[PANELS]:
        # Not in place: several apps may share the list of one configuration.
        app.config[PANELS] = (*app.config[PANELS], path)


def _operations() -> list[Operation] | None:
    registry: t.Any = current_app().extensions.get(EXTENSION)
    is_recorded = registry is not None and registry.recorder.keeps_operations
    return registry.recorded_operations() if is_recorded else None


def _line(caller: t.Any) -> str:
    return "" if caller is None else f"{utils.format_fname(caller.file)}:{caller.line} in {caller.function}"
