"""YAML for seeds."""

from __future__ import annotations

import importlib
import sys

import pytest

from dynaflask.tables import seed_yaml


def test_yaml_has_the_values_of_json() -> None:
    """Dates are strings; numbers, booleans and null are those of JSON."""
    text = "Note:\n- {id: a, at: 2026-01-02T03:04:05Z, day: 2026-01-02, n: 1.5, yes: true, no: null}\n"
    expected = {"id": "a", "at": "2026-01-02T03:04:05Z", "day": "2026-01-02", "n": 1.5, True: True, False: None}
    assert seed_yaml.read_yaml(text) == {"Note": [expected]}


@pytest.mark.parametrize("text", ["a: [", "!!python/object/apply:os.getcwd []"])
def test_anything_else_is_an_error(text: str) -> None:
    """What is no YAML, and what would make an object of Python, is a ``ValueError``."""
    with pytest.raises(ValueError, match="line 1"):
        seed_yaml.read_yaml(text)


def test_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyYAML, the error names the command that installs it."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "dynaflask.tables.seed_yaml")
    with pytest.raises(ModuleNotFoundError, match=r'A seed in YAML needs PyYAML, and .*"dynaflask\[yaml\]"'):
        importlib.import_module("dynaflask.tables.seed_yaml")
