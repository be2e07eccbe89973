"""App contexts that generators push, or that are pushed while generators are suspended.

A suspended generator leaves its app context pushed, as Flask's ``stream_with_context`` does. If another one then pushes
its own, and the first is resumed, Flask's current app is the wrong one for its code. Such code is refused.
"""

from __future__ import annotations

import itertools
import sys
import threading
import types
import typing as t
import weakref

import flask
from flask.globals import app_ctx as _app_ctx

from dynaflask.operations.context_record import record_key
from dynaflask.registry.generators import calling_frames
from dynaflask.registry.generators import entered_contexts
from dynaflask.registry.generators import entering_generators

if t.TYPE_CHECKING:
    from flask.ctx import AppContext

    from dynaflask.registry.scope import Scope

app_ctx: t.Any = _app_ctx
request: t.Any = flask.request

# The scope is an attribute of its app context: it lives and ends with it, in any thread or task that uses it. Not of
# flask.g: a program may copy all that g has to another context, perhaps to one of another app.
SCOPE: t.Final = "_dynamo_scope"
# The owner_request of a context that was pushed without a request.
NO_REQUEST: t.Final = object()

# Modules whose functions push a context, and send the signal of that.
PUSHING: t.Final = frozenset({"blinker.base", "flask.ctx"})
# Modules that push a context again after its end, to go on with its request: streams, the client of tests, a debugger.
CONTINUING: t.Final = frozenset({flask.stream_with_context.__module__, "flask.testing", "werkzeug.debug"})
FLASK_CONTEXTS: t.Final = vars(flask.ctx)

_PUSHES: t.Final = "_dynamo_pushes"
# Marks a context that a program has pushed, and may push again.
_WAS_PUSHED: t.Final = "_dynamo_was_pushed"


class Push:
    """An app context that was pushed while generators were in force.

    Args:
        context: The app context.
        generators: The generators that pushed it, if any.
        inside: The ids of the generators that were running: what they do in the context is right.
        request: The request that it was pushed for, or None.
        is_of_stream: True for a push of ``flask.stream_with_context``.
        covers_context: True if it covers another app context, or none.
        covers_request: True if it covers another request, or none.

    Attributes:
        depth: How many times the context was pushed then, with this push.
    """

    def __init__(
        self,
        context: AppContext,
        *,
        generators: tuple[types.FrameType, ...],
        inside: frozenset[int],
        request: t.Any = None,
        is_of_stream: bool = False,
        covers_context: bool = False,
        covers_request: bool = False,
    ) -> None:
        # A weak reference: the context owns this.
        self._context = weakref.ref(context)
        self._request = None if request is None else weakref.ref(request)
        self.is_of_stream = is_of_stream
        self.covers_context = covers_context
        self.covers_request = covers_request
        self._thread = threading.get_ident()
        self.generators = generators
        self.inside = inside
        self.app_name = context.app.name
        self.depth = _depth(context)

    def is_of(self, context: AppContext) -> bool:
        """True if this context was pushed."""
        return self._context() is context

    def is_of_request(self, root: t.Any, request: object) -> bool:
        """True if a request is the one that it was pushed for, or if it was pushed for none."""
        return self._request is None or self._request() is request

    @property
    def is_current(self) -> bool:
        """False once the context was popped."""
        context = self._context()
        return context is not None and self.depth <= _depth(context)

    @property
    def is_beside(self) -> bool:
        """True if the running code has read a part of the stream, and goes on beside it, in the stream's request.

        A thread that the stream has begun is of the stream, too, and has a copy of its context.
        """
        if not self.is_of_stream or self._thread != threading.get_ident():
            return False
        running = set(map(id, entered_contexts.running()))
        return self.is_of_request(None, _current_request()) and running.isdisjoint(map(id, self.generators))

    @property
    def is_last(self) -> bool:
        """True if the context was not pushed again since."""
        context = self._context()
        return context is not None and self.depth == _depth(context)


def note_push(app: flask.Flask, **_: t.Any) -> None:
    """Note an app context that a generator pushes, or that is pushed while generators are in force or after its end.

    It receives ``flask.appcontext_pushed``.

    Args:
        app: The app.
    """
    is_of_server = _is_wsgi_request()
    if is_of_server and not entered_contexts.by_frame:
        return
    if not is_of_server:
        _end_former_use(app_ctx._get_current_object(), sys._getframe(1))
    generators = _pushing_generators(sys._getframe(1))
    if generators or entered_contexts.by_frame:
        context = app_ctx._get_current_object()
        streamed = _streamed_request(generators)
        request_context = streamed or _pushed_request(sys._getframe(1))
        pushed_request = request_context and request_context.request
        push = Push(
            context,
            generators=generators,
            inside=frozenset(map(id, entered_contexts.running())),
            request=pushed_request,
            is_of_stream=streamed is not None,
            covers_context=_covered_context(context) is not context,
            covers_request=_current_request() is not pushed_request,
        )
        pushes: list[Push] = vars(context).setdefault(_PUSHES, [])
        # Those that were as deep have been popped, and would seem to be current while this one is. A stream is known to
        # the end, because contexts that are popped in the wrong order take those of others off the stack.
        kept = (other for other in pushes if other.depth < push.depth or other.is_of_stream)
        pushes[:] = [*kept, push]
        entered_contexts.add(push)


def require_own_context(context: AppContext) -> None:
    """Refuse the code of a generator that was resumed in an app context which is not its own.

    Args:
        context: The current app context.

    Raises:
        RuntimeError: The running generator stands in a block of another context, or pushed another one, and the current
            one was not pushed inside of that. Or the context is that of a stream, and the running code is not.
    """
    for frame in entered_contexts.running():
        entered = entered_contexts.innermost(frame)
        if entered is not None:
            if not entered.is_of(context) and id(frame) not in _pushed_inside(context):
                raise RuntimeError(
                    f"{frame.f_code.co_name}() was begun in an app context of {entered.app_name!r}, and goes on while"
                    f" another one, of {context.app.name!r}, is current: its calls would go there. Leave that context"
                    " before you resume the generator, or read the generator to its end before you push the context."
                )
            break
    last = _last_push(context)
    if last is not None and last.covers_context and last.is_beside:
        raise RuntimeError(
            f"A streamed response of {context.app.name!r} has been read in part, and Flask's current context is that of"
            " the response: calls beside it would go to its app and tenant. Read the response to its end, or close it"
            " with response.close(), before the next call."
        )


def is_in_other_request(context: AppContext, root: t.Any, request: object) -> bool:
    """True if a running generator was resumed in another request than that which it stands in.

    Requests of one app may share its context: one that begins while the generator is suspended joins that. And Flask
    pops what is last on the stack, so that a request may be gone that a generator stands in.

    Args:
        context: The current app context.
        root: The scope of the current request.
        request: The current request, or None. Copies of its context have the same one.
    """
    last = _last_push(context)
    if last is not None and last.covers_request and last.is_beside:
        return True
    for frame in calling_frames(sys._getframe(1)):
        if _is_wsgi_app(frame):
            return False  # A request that the generator makes itself.
        entered = entered_contexts.innermost(frame) or _pushed_stream(frame)
        if entered is not None:
            is_inside = last is not None and id(frame) in last.inside and last.is_of_request(root, request)
            return not (is_inside or entered.is_of_request(root, request))
    return False


def _end_former_use(context: AppContext, frame: types.FrameType) -> None:
    """Part a context that a program pushes again after its end from what it has been used for before.

    A worker may push one object for each of its jobs. The tenant of one job, and its changes of a model's ``Meta``,
    must not be those of the next. It is not known if the program means to go on with the first, so that such a context
    is refused; one that had neither begins again.

    Args:
        context: The context.
        frame: The code that pushes it.
    """
    # Not a mark of the teardown: a function of the program may fail in it, and Flask then calls no other.
    is_first = _WAS_PUSHED not in vars(context)
    vars(context)[_WAS_PUSHED] = True
    scope = vars(context).get(SCOPE)
    if is_first or scope is None or _depth(context) > 1 or _goes_on(scope, frame):
        return
    for name in (SCOPE, record_key(context.app)):
        vars(context).pop(name, None)
    # Also for what the program has kept of it: it would seem to be open again.
    scope.pushes = ()
    if scope.has_state:
        refused = scope.registry.open_scope()
        refused.pushes, refused.is_pushed_again = (), True
        vars(context)[SCOPE] = refused


def _goes_on(scope: Scope, frame: types.FrameType) -> bool:
    """True if the context is that of a request, whose tenant it keeps, or if Flask or Werkzeug goes on with it."""
    if scope.owner_request is not None and scope.owner_request is not NO_REQUEST:
        return True
    # Without a tenant loader, the scope does not know its request.
    modules = (each.f_globals.get("__name__") for each in calling_frames(frame))
    pusher = next(itertools.dropwhile((PUSHING | {"contextlib"}).__contains__, modules), None)
    return pusher in CONTINUING


def _last_push(context: AppContext) -> Push | None:
    pushes: list[Push] = vars(context).get(_PUSHES, [])
    return next((push for push in reversed(pushes) if push.is_last), None)


def _pushed_inside(context: AppContext) -> frozenset[int]:
    last = _last_push(context)
    return frozenset() if last is None else last.inside


def _pushed_stream(frame: types.FrameType) -> Push | None:
    """The context that a generator of ``flask.stream_with_context`` has pushed; None for another generator."""
    pushes = (entered for entered in entered_contexts.of(frame) if isinstance(entered, Push))
    return next((push for push in pushes if push.is_of_stream), None)


def _covered_context(context: AppContext) -> t.Any:
    """The app context that was current before the last push of this one."""
    # Flask's private name. Without it, as from 3.2 on, no push is known to be of a stream.
    tokens = getattr(context, "_cv_tokens", None)
    return tokens[-1].old_value if tokens else None


def _current_request() -> t.Any:
    return request._get_current_object() if flask.has_request_context() else None


def _streamed_request(generators: tuple[types.FrameType, ...]) -> t.Any:
    """The request context that a generator of ``flask.stream_with_context`` pushes next, or None."""
    module = flask.stream_with_context.__module__
    frames = (frame for frame in generators if frame.f_globals.get("__name__") == module)
    # From Flask 3.2 on there is none, and the app context is that of one request.
    contexts = (value for frame in frames for value in frame.f_locals.values() if _is_request_context(value))
    return next(contexts, None)


def _pushed_request(frame: types.FrameType) -> t.Any:
    """The request context whose ``push`` pushes an app context, or None."""
    owners = (each.f_locals.get("self") for each in itertools.takewhile(_is_pushing, calling_frames(frame)))
    return next(filter(_is_request_context, owners), None)


def _is_request_context(value: object) -> bool:
    return type(value).__name__ == "RequestContext"


def _pushing_generators(frame: types.FrameType) -> tuple[types.FrameType, ...]:
    pusher = next(itertools.dropwhile(_is_pushing, calling_frames(frame)), None)
    # It pops the context before it returns: a request of a server needs no look at more frames.
    return () if _is_wsgi_app(pusher) else entering_generators(pusher)


def _is_pushing(frame: types.FrameType) -> bool:
    return frame.f_globals.get("__name__") in PUSHING


def _is_wsgi_request() -> bool:
    """True if a server's request pushes the context: a short form of what `_pushing_generators` finds.

    Every request sends the signal.
    """
    # The receiver, Signal.send and AppContext.push are called by RequestContext.push, or by any code; or by none, if a
    # thread begins with the push.
    pusher = sys._getframe(3).f_back
    return pusher is not None and pusher.f_globals is FLASK_CONTEXTS and _is_wsgi_app(pusher.f_back)


def _is_wsgi_app(frame: types.FrameType | None) -> bool:
    return frame is not None and frame.f_code is flask.Flask.wsgi_app.__code__


def _depth(context: t.Any) -> int:
    """How many times an app context is pushed now."""
    # Flask's private name; from 3.2 on it has another one.
    tokens = getattr(context, "_cv_tokens", None)
    return getattr(context, "_push_count", 1) if tokens is None else len(tokens)
