"""The patches of tracers are recognised, layer by layer. What is not known is never left out."""

from __future__ import annotations

import functools
import importlib.util
import json
import subprocess
import sys
import typing as t
from unittest import mock

import botocore.client
import pytest
import wrapt
from botocore.client import BaseClient

from dynaflask.client.tracer_patches import has_advice
from dynaflask.client.tracer_patches import is_defined_by_botocore
from dynaflask.client.tracer_patches import is_left_out
from dynaflask.client.tracer_patches import is_of
from dynaflask.client.tracer_patches import named
from dynaflask.client.tracer_patches import patched_by
from tests.support import recorder as recorders
from tests.support.paths import PROJECT

ORIGINAL: t.Any = vars(BaseClient)["_make_api_call"]
OURS = frozenset({"tracer.patches"})


def in_module(name: str) -> dict[str, t.Any]:
    """Functions as they stand in a module of a tracer."""
    source = """
def wrapper(wrapped, instance, args, kwargs):
    return wrapped(*args, **kwargs)

def replace(original):
    def replacement(self, *args):
        return original(self, *args)
    return replacement

def replace_two(original, other):
    def replacement(self, *args):
        return original(self, *args) or other()
    return replacement
"""
    namespace: dict[str, t.Any] = {"__name__": name}
    exec(source, namespace)  # noqa: S102 - the module of a function is that of its globals
    return namespace


def wrapped_by(module: str, method: t.Any) -> t.Any:
    """A method wrapped with wrapt, by a function of a module."""
    return wrapt.FunctionWrapper(method, in_module(module)["wrapper"])


def replaced_by(module: str, method: t.Any) -> t.Any:
    """A function of a module in place of a method."""
    return in_module(module)["replace"](method)


KNOWN = {
    "no patch": ORIGINAL,
    "wrapped": wrapped_by("tracer.patches", ORIGINAL),
    "replaced": replaced_by("tracer.patches", ORIGINAL),
    "twice": wrapped_by("tracer.patches.botocore", replaced_by("tracer.patches", ORIGINAL)),
}
OTHERS = {
    "gone": None,
    "mock": mock.Mock(),
    "wrapped by others": wrapped_by("tracer.other", ORIGINAL),
    "longer name": wrapped_by("tracer.patches_of_others", ORIGINAL),
    "others inside": wrapped_by("tracer.patches", wrapped_by("other", ORIGINAL)),
    "others outside": wrapped_by("other", wrapped_by("tracer.patches", ORIGINAL)),
    "mock inside a wrapper": wrapped_by("tracer.patches", mock.Mock()),
    "mock inside a function": replaced_by("tracer.patches", mock.Mock()),
    "builtin inside": replaced_by("tracer.patches", len),
    "nothing inside": in_module("tracer.patches")["replace"],
    "two inside": in_module("tracer.patches")["replace_two"](ORIGINAL, len),
    "partial": functools.partial(ORIGINAL),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_patch_is_left_out(name: str) -> None:
    """A method is left out if all its layers belong to the modules."""
    assert is_left_out(KNOWN[name], OURS)


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_patch_is_not(name: str) -> None:
    """A layer of another module, and one that cannot be looked into, is never left out."""
    assert not is_left_out(OTHERS[name], OURS)


def test_a_patch_is_not_botocores() -> None:
    """A wrapper that copies the name of its module is not taken for a function of botocore."""

    @functools.wraps(ORIGINAL)
    def patch(*args: t.Any) -> None: ...

    assert is_defined_by_botocore(ORIGINAL)
    assert patch.__module__ == botocore.client.__name__
    assert not is_defined_by_botocore(patch)


def test_the_tracer_is_named() -> None:
    """A reason names the tracer, and the integration of dynaflask if there is one."""
    assert patched_by(wrapped_by("ddtrace.contrib.botocore", ORIGINAL)) == " by Datadog"
    assert patched_by(replaced_by("sentry_sdk.integrations.boto3._client", ORIGINAL)) == (
        " by Sentry. Call dynaflask.integrations.sentry.instrument(app), which needs no patch"
    )
    assert patched_by(mock.Mock()) == ""
    assert has_advice(f"It is patched{named('opentelemetry.instrumentation.botocore')}")
    assert not has_advice(f"It is patched{named('newrelic.hooks')}")


def test_a_submodule_belongs_to_its_module() -> None:
    """A module with a longer name does not."""
    assert is_of("a.b", frozenset({"a"}))
    assert not is_of("ab", frozenset({"a"}))


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("ddtrace", "botocore's BaseClient._make_api_call is patched by Datadog"),
        ("newrelic", "botocore's Endpoint.make_request is patched by New Relic"),
    ],
)
def test_tracers_without_an_integration_get_the_calls(recorder: recorders.Recorder, package: str, reason: str) -> None:
    """Under Datadog and New Relic botocore makes the calls; the health check and the log say so, the log once."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: nox --session tracers")
    # In a process of its own: these packages patch more than botocore, and ddtrace brings a plugin of pytest.
    command = [sys.executable, "-m", "tests.support.tracer_program", package, recorder.url]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["transports"] == ["direct", f"botocore: {reason}"]
    (line,) = found["lines"]
    assert reason in line
