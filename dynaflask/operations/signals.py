"""What happened, told to whoever asks. The sender is the app, as of Flask's own signals.

@operation_finished.connect_via(app)
def log(app, *, operation): ...
"""

from __future__ import annotations

import typing as t

import blinker

_signals: t.Final = blinker.Namespace()

#: A call ended, well or not. ``operation`` is its :class:`~dynaflask.Operation`.
operation_finished: t.Final = _signals.signal("operation-finished")
