"""How the scope of the current context is found, and where it is kept."""

from __future__ import annotations

import contextvars
import typing as t
import weakref

import flask
from flask.ctx import AppContext
from flask.globals import app_ctx as _app_ctx
from flask.globals import request_ctx as _request_ctx

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.registry.scope import Scope

EXTENSION = "dynamo"
NO_REQUEST: t.Final = object()

# Typed as what they stand for, and not as the proxies that they are.
app_ctx: t.Any = _app_ctx
request: t.Any = flask.request
request_ctx: t.Any = _request_ctx

# The scope is kept on flask.g: it lives and ends with its app context, in whatever thread or task that is used.
_ON_G = "_dynamo_scope"

# The blocks that this thread or task is in, the innermost last, of whichever app contexts.
scope_stack: contextvars.ContextVar[tuple[Scope, ...]] = contextvars.ContextVar("dynaflask_blocks", default=())

ScopeToken = contextvars.Token[tuple["Scope", ...]]


def current_scope(dynamo: Dynamo | None = None) -> Scope | None:
    """The scope to use here: the innermost block of the current app context, or the context's own.

    Args:
        dynamo: The extension object that asks, which may know a scope for outside of app contexts.

    Returns:
        ``None`` outside of an app context, and in one whose app this extension does not serve.
    """
    root: Scope | None
    try:
        # Once for the app and its g: each look through one of Flask's proxies costs more than all that follows.
        context = app_ctx._get_current_object()
    except RuntimeError:
        root = None if dynamo is None else dynamo._outside()
    else:
        root = context.g.get(_ON_G)
        if root is None or not root.is_open:
            root = _open_scope(context)
        if root is not None and root.owner_request is not None:
            root = _scope_of_request(root)
    for block in reversed(scope_stack.get()):
        if block.root is root:
            return block
    return root


def existing_scope() -> Scope | None:
    """The scope that is used here already. None is opened."""
    root: Scope | None = app_ctx.g.get(_ON_G) if app_ctx else None
    if root is not None and (other := _nested_request(root)):
        root = vars(other).get(_ON_G, {}).get(root)
    return next((block for block in reversed(scope_stack.get()) if block.root is root), root)


def require_scope(what: str, dynamo: Dynamo | None = None) -> Scope:
    """The scope to use here, or an error that says why there is none.

    Args:
        what: What needs it, as the reader knows it: ``"Thread"``.
        dynamo: As of :func:`current_scope`.

    Raises:
        RuntimeError: There is no application context, or its app was not initialised.
    """
    scope = current_scope(dynamo)
    if scope is not None:
        return scope
    if not flask.has_app_context():
        if dynamo is not None:
            dynamo._outside(what)
        raise RuntimeError(
            f"Working outside of application context.\n\n{what} needs the current application to know its region,"
            " endpoint and table. Either none was pushed yet, as in a script or a shell: use `with app.app_context():`."
            " Or this code runs where Flask's context does not follow: in a thread, a task of a queue, or a generator"
            " that is streamed without flask.stream_with_context."
        )
    raise RuntimeError(
        f"{what} is used in the app {flask.current_app.name!r}, which was not initialised. Call db.init_app(app) where"
        " that app is made."
    )


def reset(resumption: ScopeToken) -> None:
    """End what :meth:`Scope.resume` began."""
    scope_stack.reset(resumption)


def close_scope(_: BaseException | None = None) -> None:
    """End the scope of the current app context, if it has one, and those of requests that ran in it."""
    scope: Scope | None = app_ctx._get_current_object().g.get(_ON_G)
    if scope is not None:
        scope.close()
        for nested_scope in [*scope.nested_scopes]:
            nested_scope.close()


def close_request_scopes(_: BaseException | None = None) -> None:
    """End what the current request had in an app context that was there before it."""
    for scope in vars(request._get_current_object()).get(_ON_G, {}).values():
        scope.close()


def _open_scope(context: AppContext) -> Scope | None:
    registry: t.Any = context.app.extensions.get(EXTENSION)
    open_scope: t.Callable[[], Scope] | None = getattr(registry, "open_scope", None)
    if open_scope is None:
        return None
    # Threads may share a context, so that two may come here at once.
    scope: Scope = context.g.setdefault(_ON_G, open_scope())
    scope.is_open = True
    if registry.tenants.has_loader and scope.owner_request is None:
        scope.owner_request = _request_of(context)
        scope.nested_scopes = weakref.WeakSet()
    return scope


def _request_of(context: AppContext) -> t.Any:
    """The request that an app context was made for, if that is the current one."""
    if not flask.has_request_context():
        return NO_REQUEST
    # A Flask that does not tell makes one for each.
    made = getattr(request_ctx._get_current_object(), "_cv_tokens", [(None, context)])
    return _current_request() if any(other is context for _, other in made) else NO_REQUEST


def _scope_of_request(root: Scope) -> Scope:
    # Flask puts a request into the context of its app that is there already, of a test or of another request, with all
    # that is on flask.g. Its tenant is its own.
    other = _nested_request(root)
    if other is None:
        return root
    # A request may be used in the contexts of several apps.
    scopes: dict[Scope, Scope] = vars(other).setdefault(_ON_G, {})
    if root not in scopes:
        root.nested_scopes.add(scopes.setdefault(root, root.registry.open_scope()))
    scope = scopes[root]
    scope.is_open = True
    return scope


def _nested_request(root: Scope) -> t.Any:
    """The current request, if it is another than the one that the context was made for."""
    current = None if root.owner_request is None else _current_request()
    return None if current is root.owner_request else current


def _current_request() -> t.Any:
    return request._get_current_object() if flask.has_request_context() else None
