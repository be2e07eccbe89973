"""Settings and binds for tests: ``bind(region="eu-west-1")`` is the bind of an app with ``DYNAMODB_REGION``."""

from __future__ import annotations

import typing as t

import flask

from dynaflask.config.bind import Bind
from dynaflask.config.bind import make_bind
from dynaflask.config.settings import Settings
from dynaflask.config.settings import read_settings

#: The type of the fixture ``make_app``, which makes an app with settings.
MakeApp = t.Callable[..., flask.Flask]

KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}


def read(**config: t.Any) -> Settings:
    """The settings of an app, from the part of each key after ``DYNAMODB_``."""
    return read_settings("app", {f"DYNAMODB_{name.upper()}": value for name, value in config.items()})


def bind(key: str = "default", **config: t.Any) -> Bind:
    """The bind of an app with these settings."""
    return make_bind(key, read(**config).effective_values(key))
