"""What IAM decides: policies are evaluated by @cloud-copilot/iam-simulate, which npm installs into .engine/iam."""

from __future__ import annotations

import collections.abc as cabc
import fcntl
import functools
import json
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from tests.support.paths import PROJECT

# Without a network, npm tries for minutes.
INSTALL_SECONDS = 30
PACKAGE = "@cloud-copilot/iam-simulate@0.1.173"
ACCOUNT = "123456789012"
PROGRAM = """
const { runSimulation } = require('@cloud-copilot/iam-simulate')
const decide = async (simulation) => {
  const response = await runSimulation(simulation, {})
  return response.resultType === 'error' ? JSON.stringify(response.errors) : response.overallResult
}
const simulations = JSON.parse(require('fs').readFileSync(0, 'utf8'))
Promise.all(simulations.map(decide)).then((results) => console.log(JSON.stringify(results)))
"""


class Call(t.NamedTuple):
    """A call to DynamoDB, as IAM sees it. ``keys`` are the hash keys of its items."""

    action: str
    resource: str
    keys: tuple[str, ...] = ()
    tenant: str | None = None


def allowed(policy: cabc.Mapping[str, t.Any], calls: cabc.Sequence[Call]) -> list[bool]:
    """For each call, whether a role with the policy may make it. A skip, if the evaluator cannot be installed."""
    node, directory = _install()
    simulations = [_simulation(policy, call) for call in calls]
    process = subprocess.run(
        [node, "-e", PROGRAM],
        cwd=directory,
        input=json.dumps(simulations),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    results = json.loads(process.stdout)
    assert set(results) <= {"Allowed", "ImplicitlyDenied"}, results
    return [result == "Allowed" for result in results]


def _simulation(policy: cabc.Mapping[str, t.Any], call: Call) -> dict[str, t.Any]:
    context: dict[str, t.Any] = {"dynamodb:LeadingKeys": list(call.keys)} if call.keys else {}
    if call.tenant is not None:
        context["aws:PrincipalTag/tenant"] = call.tenant
    return {
        "identityPolicies": [{"name": "policy", "policy": policy}],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
        "request": {
            "principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/session",
            "action": f"dynamodb:{call.action}",
            "resource": {"resource": call.resource, "accountId": ACCOUNT},
            "contextVariables": context,
        },
    }


def _install() -> tuple[str, pathlib.Path]:
    evaluator = _evaluator()
    if isinstance(evaluator, str):
        pytest.skip(evaluator)
    return evaluator


@functools.cache
def _evaluator() -> tuple[str, pathlib.Path] | str:
    """Node.js and the directory of the evaluator, or why there is none. It is installed once."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "The evaluator of IAM policies needs Node.js with npm, and one of them is not on PATH."
    directory = PROJECT / ".engine" / "iam"
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "installed", "a+") as note:
        fcntl.flock(note, fcntl.LOCK_EX)  # another run of the tests may install it now
        note.seek(0)
        if note.read() != PACKAGE:
            command = [
                npm,
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
                str(directory),
                PACKAGE,
            ]
            try:
                process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
            except subprocess.TimeoutExpired:
                return f"npm did not install the evaluator of IAM policies in {INSTALL_SECONDS} seconds."
            if process.returncode:
                return f"npm could not install the evaluator of IAM policies:\n{process.stderr}"
            note.truncate(0)
            note.write(PACKAGE)
    return node, directory
