"""What the tests share of botocore's sessions is what each would find for itself."""

from __future__ import annotations

import botocore.hooks
import botocore.session
from botocore.handlers import BUILTIN_HANDLERS

from tests.support import caches


class Handlers:
    """Handlers of a class."""

    def with_any(self, **kwargs: object) -> None:
        """Takes what botocore requires."""

    def with_one(self, one: object) -> None:
        """Does not."""


def test_the_arguments_of_a_handler() -> None:
    """``**kwargs`` are seen in a function, a method and a class as botocore sees them."""
    handlers = [row[1] for row in BUILTIN_HANDLERS] + [Handlers().with_any, Handlers().with_one, Handlers]
    seen = [caches.accepts_kwargs(handler) for handler in handlers]
    assert seen == [bool(caches._inspect_arguments(handler)) for handler in handlers]
    assert {*seen} == {True, False}


def test_the_names_of_events() -> None:
    """An older name becomes the newer one; an emitter with aliases of its own keeps its names to itself."""
    emitter = botocore.session.Session()._events
    stock = botocore.hooks.EventAliaser(botocore.hooks.HierarchicalEmitter(), {"dynamo": "other"})
    assert emitter._alias_name_cache is caches._event_names
    assert emitter._alias_event_name("before-call.autoscaling.X") == "before-call.auto-scaling.X"
    assert stock._alias_event_name("before-call.dynamo.X") == "before-call.other.X"
    assert emitter._alias_event_name("before-call.dynamo.X") == "before-call.dynamo.X"
