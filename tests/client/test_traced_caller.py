"""``TracedCaller`` leaves out the patches of tracers in the calls of one app."""

from __future__ import annotations

import contextlib
import contextvars
import typing as t
from unittest import mock

import pytest

from dynaflask.client.traced_caller import TracedCaller
from dynaflask.operations.tracing import Tracing
from dynaflask.operations.tracing import active
from dynaflask.operations.tracing import current_tracing
from dynaflask.operations.tracing import traced_modules


@pytest.mark.parametrize("is_direct", [True, False])
def test_botocore_is_silenced_at_once(is_direct: bool) -> None:
    """A direct transport knows which patches to leave out. For any other caller, the tracers are silent at once."""
    seen: list[t.Any] = []
    tracer, caller = mock.Mock(), mock.Mock()
    tracer.silence.return_value = contextlib.nullcontext()
    caller._make_api_call.side_effect = lambda *args: seen.append((args, traced_modules()))
    traced = TracedCaller(caller, Tracing((tracer,), frozenset({"module"})), is_direct=is_direct)
    traced._make_api_call("GetItem", {})
    assert seen == [(("GetItem", {}), {"module"} if is_direct else frozenset())]
    assert tracer.silence.called is not is_direct
    assert traced_modules() == frozenset()


def test_a_task_of_the_middle_of_a_call_leaves_out_no_patches_after_it() -> None:
    """A task that code of the program starts in a call of one app makes its later calls as its own app does."""
    contexts: list[contextvars.Context] = []
    caller = mock.Mock()
    caller._make_api_call.side_effect = lambda *_: contexts.append(contextvars.copy_context())
    TracedCaller(caller, Tracing((mock.Mock(),), frozenset({"module"})), is_direct=True)._make_api_call("GetItem", {})
    with active(Tracing((mock.Mock(),), frozenset({"module"}))):
        contexts.append(contextvars.copy_context())
        assert contexts[-1].run(traced_modules) == {"module"}
    for context in contexts:
        assert context.run(traced_modules) == frozenset()
        assert context.run(current_tracing.get).tracers == ()
