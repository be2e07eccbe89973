"""Runs the commands of ``flask dynamo``."""

from __future__ import annotations

import click.testing
import flask


def run(app: flask.Flask, *arguments: str, answer: str = "") -> click.testing.Result:
    """Run ``flask dynamo ...``, with an answer to its question."""
    return app.test_cli_runner().invoke(args=["dynamo", *arguments], input=answer)
