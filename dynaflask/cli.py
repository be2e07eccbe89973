"""``flask dynamo``: the command line."""

from __future__ import annotations

import click

dynamo = click.Group("dynamo")
