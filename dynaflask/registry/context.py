"""How the scope of the current context is found, and where it is stored: on the app context, and per request in it."""

from __future__ import annotations

import typing as t
import weakref

import flask
from flask.ctx import AppContext
from flask.globals import app_ctx as _app_ctx
from flask.globals import request_ctx as _request_ctx

from dynaflask.registry.block_stack import block_stack
from dynaflask.registry.generators import entered_contexts
from dynaflask.registry.pushes import NO_REQUEST
from dynaflask.registry.pushes import SCOPE
from dynaflask.registry.pushes import is_in_other_request
from dynaflask.registry.pushes import require_own_context

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.registry.registry import Registry
    from dynaflask.registry.scope import Scope

EXTENSION = "dynamo"

# Flask types these proxies as the objects that they stand for, without werkzeug's _get_current_object.
app_ctx: t.Any = _app_ctx
request: t.Any = flask.request
request_ctx: t.Any = _request_ctx


class UnclearBlockError(RuntimeError):
    """The current scope is not known.

    Args:
        message: Why, and what to do.
        root: The scope of the context. A block that names its tenant can be entered in it.
    """

    def __init__(self, message: str, root: Scope) -> None:
        super().__init__(message)
        self.root = root


def current_scope(dynamo: Dynamo | None = None) -> Scope | None:
    """The scope to use here: the innermost block of the current app context, or the context's own scope.

    Args:
        dynamo: The extension object that asks. Those in compat have a scope outside of app contexts.

    Returns:
        ``None`` outside of an app context, and in the context of an app without a registry.
    """
    root: Scope | None
    context: AppContext | None = None
    try:
        # One look through Flask's proxy: it costs more than all that follows. The method is werkzeug's documented
        # LocalProxy._get_current_object; without it no scope can be found.
        context = app_ctx._get_current_object()
    except RuntimeError:
        root = None if dynamo is None else dynamo._fallback_scope()
    else:
        root = context.__dict__.get(SCOPE) or _open_scope(context)
        if root is not None and root.owner_request is not None:
            root = _scope_of_request(root)
    if root is None or entered_contexts.by_frame:
        return root and _scope_among_generators(root, context)
    # BlockStack.innermost, written out: this function runs for each item that becomes an object.
    for block in reversed(block_stack.entered()):
        if block.root is root:
            return _scope_without_left(root) if block.is_left else block
    return root


def existing_scope() -> Scope | None:
    """The scope to use here, if it is open already. It is not opened."""
    root: Scope | None = vars(app_ctx._get_current_object()).get(SCOPE) if app_ctx else None
    if root is not None and (nested_request := _nested_request(root)):
        root = vars(nested_request).get(SCOPE, {}).get(root)
    return root and block_stack.innermost(root)


def require_scope(what: str, dynamo: Dynamo | None = None) -> Scope:
    """The scope to use here, or an error that says why there is none.

    Args:
        what: The name, as the reader knows it, of what needs the scope: ``"Thread"``.
        dynamo: As of :func:`current_scope`.

    Raises:
        RuntimeError: There is no application context, or its app was not initialised.
    """
    scope = current_scope(dynamo)
    if scope is not None:
        return scope
    if not flask.has_app_context():
        if dynamo is not None:
            dynamo._fallback_scope(what)
        raise RuntimeError(
            f"Working outside of application context.\n\n{what} needs the current application to know its region,"
            " endpoint and table. Either none was pushed yet, as in a script, a shell, or a module that calls DynamoDB"
            " while it is imported: use `with app.app_context():`. Or this code runs where Flask's context does not"
            " follow: in a thread, a task of a queue, or a generator that is streamed without"
            " flask.stream_with_context."
        )
    raise RuntimeError(
        f"{what} is used in the app {flask.current_app.name!r}, which was not initialised. Call db.init_app(app) where"
        " that app is made, with the one `db = Dynamo()` of the program."
    )


def block_error(what: str) -> RuntimeError:
    """The error for code of the program that has entered or left a block in the middle of a call.

    Args:
        what: Name of the model of the call.
    """
    return RuntimeError(
        f"A block was entered or left in the middle of a call of {what}, so that it is not clear where the item"
        " belongs. An attribute's serialize(), or a receiver of a signal, must leave a block that it enters."
    )


# Ends what Scope.reenter began.
reset: t.Final = block_stack.reset


def current_app() -> flask.Flask:
    """The current app itself, for use after the context has ended; ``flask.current_app`` is a proxy."""
    app: flask.Flask = app_ctx._get_current_object().app
    return app


def registry_of(app: flask.Flask) -> Registry:
    """The registry of an app.

    Raises:
        RuntimeError: The app was not initialised.
    """
    if EXTENSION not in app.extensions:
        raise RuntimeError(f"The app {app.name!r} is not initialised. Call db.init_app(app) first.")
    registry: Registry = app.extensions[EXTENSION]
    return registry


def close_scope(_: BaseException | None = None) -> None:
    """Close the scope of the current app context, if it has one, and those of requests that ran in the context."""
    scope: Scope | None = getattr(app_ctx._get_current_object(), SCOPE, None)
    if scope is not None:
        scope.close()
        if scope.nested_scopes:
            # Not values(): it fails if a thread that shares the context adds a scope meanwhile.
            for nested_scope in filter(None, [reference() for reference in scope.nested_scopes.valuerefs()]):
                nested_scope.close()


def close_request_scopes(_: flask.Flask, **__: t.Any) -> None:
    """Close the scopes that the current request had in app contexts that were pushed before it.

    It receives ``flask.request_tearing_down`` of an app that had such a request.
    """
    # A copy: a thread that shares the request may use it in another context meanwhile.
    for scope in vars(request._get_current_object()).get(SCOPE, {}).copy().values():
        scope.close()


def _scope_among_generators(root: Scope, context: AppContext | None) -> Scope:
    if context is not None:
        require_own_context(context)
    scope = _scope_without_left(root)
    # Without a loader, all requests of a context have one scope.
    if context is not None and (root.around or root).owner_request is not None:
        is_named = scope is not root and block_stack.is_entered_by_running_code(scope)
        if not is_named and is_in_other_request(context, root, _current_request()):
            raise UnclearBlockError(
                f"A generator of {root.app_name!r}, perhaps a streamed response, goes on while its request is not the"
                " current one: its calls would be for the tenant of another. Name the tenant here: `with"
                " db.tenant(...):`; or read one generator to its end, or close it, before the next one begins.",
                root,
            )
    return scope


def _scope_without_left(root: Scope) -> Scope:
    scope = block_stack.innermost(root)
    if scope.is_left_elsewhere:
        raise UnclearBlockError(
            "This code runs in a copy of a context that was inside of a block, and another thread or task has left the"
            " block since: it is not known if the copy was made before or after that. Name the tenant here: `with"
            " db.tenant(...):` or `with db.without_tenant(reason=...):`.",
            root,
        )
    if block_stack.is_unclear(scope):
        raise UnclearBlockError(
            "This code runs in a copy of a context that was inside of a block, and a generator that stands in another"
            " block has run since: it is not known if the generator made the copy. Name the tenant here: `with"
            " db.tenant(...):` or `with db.without_tenant(reason=...):`.",
            root,
        )
    return scope


def _open_scope(context: AppContext) -> Scope | None:
    registry: t.Any = context.app.extensions.get(EXTENSION)
    open_scope: t.Callable[[], Scope] | None = getattr(registry, "open_scope", None)
    if open_scope is None:
        return None
    # Threads may share a context, and two of them may open its scope at once: setdefault gives both the same one.
    scope: Scope = vars(context).setdefault(SCOPE, open_scope())
    scope.pushes = _pushes(context)
    if registry.tenants.has_loader and scope.owner_request is None:
        scope.owner_request = _request_of(context)
        # Weak references: a nested scope is the request's, and goes with it.
        scope.nested_scopes = weakref.WeakValueDictionary()
    return scope


def _request_of(context: AppContext) -> t.Any:
    """The current request, if the app context was pushed for it."""
    if not flask.has_request_context():
        return NO_REQUEST
    # A request context that joined a context of its app lists only the app contexts that it pushed itself in Flask's
    # private _cv_tokens. Where the name is gone, as in Flask 3.2, every request pushes a context of its own.
    tokens = getattr(request_ctx._get_current_object(), "_cv_tokens", [(None, context)])
    return _current_request() if any(pushed is context for _, pushed in tokens) else NO_REQUEST


def _scope_of_request(root: Scope) -> Scope:
    # Flask runs a request inside the current context of its app, if there is one: that of a test or of another
    # request, which has one scope. The request's tenant is its own, so it gets a scope of its own.
    nested_request = _nested_request(root)
    if nested_request is None:
        return root
    # By root: a request may be used in the contexts of several apps.
    scopes: dict[Scope, Scope] = vars(nested_request).setdefault(SCOPE, {})
    if root not in scopes:
        opened = root.registry.open_scope()
        opened.pushes, opened.around = (), root
        nested_scope = scopes.setdefault(root, opened)
        root.nested_scopes[id(nested_scope)] = nested_scope
        # Not in init_app: few programs have such requests, and all would pay for a call at the end of each request.
        flask.request_tearing_down.connect(close_request_scopes, request_ctx.app)
    scope = scopes[root]
    if not scope.pushes:
        # Copies of a request context have the same request.
        scope.pushes = _BothPushed(root.pushes, _pushes(request_ctx._get_current_object()))
    return scope


def _pushes(context: t.Any) -> t.Any:
    """An object that is true as long as a context of Flask is pushed.

    It is the list of Flask's private ``_cv_tokens``: a thread that still has an ended context in its ``ContextVar`` is
    told apart from ``flask.stream_with_context``, which pushes the context again. Without the name, as in Flask 3.2,
    ``_cv_token`` tells. Without both, a context never counts as ended, and what belongs to it is not refused.
    """
    tokens = getattr(context, "_cv_tokens", None)
    return _Pushed(context) if tokens is None else tokens


class _BothPushed:
    __slots__ = ("_context", "_request_context")

    def __init__(self, context: t.Any, request_context: t.Any) -> None:
        self._context = context
        self._request_context = request_context

    def __bool__(self) -> bool:
        return bool(self._context and self._request_context)


class _Pushed:
    # A weak reference: the context owns the scope, which owns this.
    __slots__ = ("_context",)

    def __init__(self, context: t.Any) -> None:
        self._context = weakref.ref(context)

    def __bool__(self) -> bool:
        return getattr(self._context(), "_cv_token", True) is not None


def _nested_request(root: Scope) -> t.Any:
    """The current request, if the context was not pushed for it."""
    current = None if root.owner_request is None else _current_request()
    return None if current is root.owner_request else current


def _current_request() -> t.Any:
    return request._get_current_object() if flask.has_request_context() else None
