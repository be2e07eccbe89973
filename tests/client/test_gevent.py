"""gevent, with its monkey patch."""

from __future__ import annotations

import json
import pathlib
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
import trustme

from tests.support import engines
from tests.support import recorder as recorders
from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT
from tests.support.paths import environment

GREENLETS = 50


def test_greenlets_share_a_client_and_call_at_the_same_time(recorder: recorders.Recorder) -> None:
    """Fifty greenlets make one client. The server answers when all of their calls have arrived."""
    together = threading.Barrier(GREENLETS)

    def answer(_: recorders.Request) -> None:
        together.wait(timeout=20)

    recorder.answer = answer
    command = [sys.executable, str(SUPPORT / "gevent_program.py"), recorder.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("is_patched", "status"), [(True, 200), (False, 500)])
def test_gunicorn_with_preload_patches_in_its_configuration(
    tmp_path: pathlib.Path, *, is_patched: bool, status: int
) -> None:
    """With ``--preload`` HTTPS calls need the configuration of the documentation; without it they recurse in ssl."""
    page = (PROJECT / "docs/howto/workers.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```text\n(from gevent import monkey\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    configuration, bundle = tmp_path / "gunicorn.conf.py", tmp_path / "bundle.pem"
    configuration.write_text(code if is_patched else "", encoding="utf-8")
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(bundle))
    port = engines.free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.support.preload_program:application", "--preload"]
    options = ["-k", "gevent", "-c", str(configuration), "--bind", f"127.0.0.1:{port}", "--log-level", "critical"]
    with recorders.Recorder(tls=context) as recorder:
        variables = environment(RECORDER_URL=f"https://localhost:{recorder.port}", AWS_CA_BUNDLE=str(bundle))
        with subprocess.Popen([*command, *options], env=variables, cwd=PROJECT, stderr=subprocess.DEVNULL) as server:
            try:
                assert wait_for_status(f"http://127.0.0.1:{port}/subject") == status
            finally:
                server.terminate()


def wait_for_status(url: str) -> int:
    """The status of the first response."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 - a URL of the test
                assert json.load(response)["subject"] == "subject"
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            assert time.monotonic() < deadline, "gunicorn did not start"
            time.sleep(0.05)
