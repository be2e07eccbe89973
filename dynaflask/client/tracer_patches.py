"""Recognises the tracers that patch botocore: who patched a method, and what the method was before.

A patch is left out only if all its layers are known, down to botocore's own function.
"""

from __future__ import annotations

import collections.abc as cabc
import types
import typing as t

# Name of the tracer by the package of its patches, and the integration that keeps the direct transport in use.
TRACERS: dict[str, tuple[str, str | None]] = {
    "opentelemetry": ("OpenTelemetry", "dynaflask.integrations.opentelemetry"),
    "sentry_sdk": ("Sentry", "dynaflask.integrations.sentry"),
    "aws_xray_sdk": ("the X-Ray SDK", None),
    "ddtrace": ("Datadog", None),
    "newrelic": ("New Relic", None),
}

# Begins what to do, in the reason of a call that botocore makes.
CALL: t.Final = "Call"


def has_advice(reason: str) -> bool:
    """True if a reason to leave a call to botocore says what to do.

    Args:
        reason: The reason.
    """
    return f". {CALL} " in reason


def is_defined_by_botocore(method: t.Any) -> bool:
    """True for a function of botocore that is not wrapped."""
    # Not by `__module__`, which `functools.wraps` copies to the wrapper. The function that `mock.patch(autospec=True)`
    # generates has globals without a name.
    return type(method) is types.FunctionType and _module_of(method).startswith("botocore.")


def is_left_out(method: t.Any, modules: frozenset[str]) -> bool:
    """True for a function of botocore with no layers around it but those of some modules.

    Args:
        method: The method, as it stands in its class.
        modules: The modules, each with its submodules.
    """
    # The first call of a process examines 240 methods, and few are patched.
    if is_defined_by_botocore(method):
        return True
    *layers, innermost = _layers(method)
    return is_defined_by_botocore(innermost) and all(is_of(_patcher(layer), modules) for layer in layers)


def is_of(module: str, modules: frozenset[str]) -> bool:
    """True if a module is one of some modules, or a submodule of one."""
    return any(f"{module}.".startswith(f"{name}.") for name in modules)


def patched_by(method: t.Any) -> str:
    """Who patched a method, as the end of a sentence, with what to do; empty if it is not known."""
    return named(_patcher(method))


def named(module: str) -> str:
    """The tracer that a module belongs to, as the end of a sentence, with what to do; empty if it is not known."""
    name, integration = TRACERS.get(module.partition(".")[0], (None, None))
    if name is None:
        return ""
    return (
        f" by {name}"
        if integration is None
        else f" by {name}. {CALL} {integration}.instrument(app), which needs no patch"
    )


def _layers(method: t.Any) -> cabc.Iterator[t.Any]:
    """The method, then what each layer wraps, as far as it can be seen."""
    yield method
    while not is_defined_by_botocore(method):
        inner = _wrapped(method)
        if inner is None:
            return
        method = inner
        yield method


def _wrapped(layer: t.Any) -> t.Any:
    """What a layer calls; ``None`` if it is not known."""
    if _wrapper(layer) is not None:
        return layer.__wrapped__
    if type(layer) is not types.FunctionType:
        return None
    # A function in place of the method, which has the method in its closure.
    functions = [cell.cell_contents for cell in layer.__closure__ or () if callable(cell.cell_contents)]
    return functions[0] if len(functions) == 1 else None


def _wrapper(layer: t.Any) -> t.Any:
    """The function that a wrapper of wrapt calls; ``None`` for any other object."""
    # Not by its attributes alone: a mock has all attributes.
    is_wrapper = type(layer).__name__ == "FunctionWrapper"
    return getattr(layer, "_self_wrapper", None) if is_wrapper else None


def _patcher(layer: t.Any) -> str:
    wrapper = _wrapper(layer) or layer
    return _module_of(getattr(wrapper, "__func__", wrapper))


def _module_of(function: t.Any) -> str:
    if type(function) is types.FunctionType:
        return str(function.__globals__.get("__name__", ""))
    return type(function).__module__
