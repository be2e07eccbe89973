"""If a release of botocore or PynamoDB renames something, their own code makes the calls, and a warning says why."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest

from dynaflask.client import transport
from dynaflask.client.codec import parts
from tests.support import recorder as recorders
from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT
from tests.support.paths import environment
from tests.support.paths import measured_environment
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

# Names of botocore, and the transport that takes the place of "botocore" and of "direct" if one is gone.
RENAMED = {
    **dict.fromkeys(["BUILTIN_HANDLERS", "HeadersDict"], ("botocore", "direct")),
    **dict.fromkeys(["JSONParser", "JSONSerializer", "ResponseParserFactory"], ("stock", "stock")),
    **dict.fromkeys(
        ["proxy_url_for", "_proxy_config", "prefix_search", "_credentials", "get_frozen_credentials"],
        ("botocore", "botocore"),
    ),
    **dict.fromkeys(
        ["create_serializer", "headers_to_sign", "get_cert_path", "create_urllib3_context"], ("botocore", "botocore")
    ),
}
# One name for each place that only such a program reaches.
MEASURED = {"JSONParser", "create_serializer", "_proxy_config", "DeleteAction"}


@functools.cache
def read(package: str) -> tuple[pathlib.Path, dict[pathlib.Path, str]]:
    """The folder of a package, and its modules."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    source = pathlib.Path(str(spec.origin)).parent
    return source, {path: path.read_text() for path in source.rglob("*.py")}


def copy_renamed(package: str, name: str, folder: pathlib.Path) -> None:
    """Copy the modules of a package that have a name, with another in its place, and link to all others.

    Python has compiled those already: it finds them as if they were in their own folder.
    """
    source, modules = read(package)
    word = re.compile(rf"\b{name}\b")
    for path, text in modules.items():
        target = folder / package / path.relative_to(source)
        (target.parent / "__pycache__").mkdir(parents=True, exist_ok=True)
        renamed = word.sub(f"{name}_renamed", text) if name in text else text
        if renamed != text:
            target.write_text(renamed)
        else:
            target.symlink_to(path)
            compiled = pathlib.Path(importlib.util.cache_from_source(path))
            (target.parent / "__pycache__" / compiled.name).symlink_to(compiled)
    for path in [*source.glob("data"), *source.glob("cacert.pem")]:
        (folder / package / path.name).symlink_to(path)


def run(package: str, name: str, folder: pathlib.Path, url: str) -> tuple[t.Any, str]:
    """The results of the program by transport, and what it wrote to standard error."""
    copy_renamed(package, name, folder)
    variables = {"PYTHONPATH": os.pathsep.join([str(folder), str(PROJECT)]), "PYTHONDONTWRITEBYTECODE": "1"}
    finished = subprocess.run(
        [sys.executable, str(SUPPORT / "renamed_program.py"), url],
        env=measured_environment(**variables) if name in MEASURED else environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout), finished.stderr


@pytest.mark.parametrize(("name", "modes"), RENAMED.items(), ids=RENAMED)
def test_a_renamed_name_of_botocore(
    recorder: recorders.Recorder, tmp_path: pathlib.Path, name: str, modes: tuple[str, str]
) -> None:
    """The import works, each call gets its response, and one warning names what is missing."""
    results, _ = run("botocore", name, tmp_path, recorder.url)
    for requested, mode in zip(("stock", "botocore", "direct"), ("stock", *modes), strict=True):
        subjects, *reached, warnings = results[requested]
        assert subjects == [f"{requested}-0", f"{requested}-1"]
        assert reached == [mode, mode]
        assert len(warnings) == (mode != requested)
        assert all(
            f"DYNAMODB_TRANSPORT is {requested!r}, but the transport of a client is {mode!r}: " in warning
            and "this version of botocore differs: " in warning
            and repr(name) in warning
            for warning in warnings
        )


@pytest.mark.parametrize("name", ["DeleteAction", "send_pre_boto_callback", "_get_table_name_for_error_context"])
def test_a_renamed_name_of_pynamodb(recorder: recorders.Recorder, tmp_path: pathlib.Path, name: str) -> None:
    """The import works, and each call gets its response. PynamoDB serializes the updates if it must."""
    results, errors = run("pynamodb", name, tmp_path, recorder.url)
    for requested in ("stock", "botocore", "direct"):
        assert results[requested] == [[f"{requested}-0", f"{requested}-1"], requested, requested, []]
    is_about_updates = "An update is serialized by PynamoDB" in errors
    assert is_about_updates == (name == "DeleteAction")


def test_a_transport_without_a_name_falls_back(
    make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``direct`` falls back to ``botocore``, and both to ``stock`` if the parser lacks a name."""
    monkeypatch.setattr(transport, "DirectTransport", ImportError("no 'create_serializer' (a path)"))

    def reached(mode: str) -> tuple[str, str | None]:
        app = make_app(host=recorder.url, region="us-east-1", transport=mode, share_client=False, **KEYS)
        client = app.extensions["dynamo"].get_client()
        client.list_tables()
        return client.meta.dynaflask_transport

    reason = "this version of botocore differs: no 'create_serializer'"
    assert [reached(mode) for mode in ("stock", "botocore", "direct")] == [
        ("stock", None),
        ("botocore", None),
        ("botocore", reason),
    ]
    monkeypatch.setattr(parts, "_difference", "no 'JSONParser'")
    reason = "this version of botocore differs: no 'JSONParser'"
    assert [reached(mode) for mode in ("stock", "botocore", "direct")] == [
        ("stock", None),
        ("stock", reason),
        ("stock", reason),
    ]
