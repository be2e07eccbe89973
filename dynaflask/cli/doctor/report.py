"""What the doctor reports: values with their sources, and findings. No text of a report has a secret."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from dynaflask.client.key import without_password
from dynaflask.config.bind import Bind

OK: t.Final = "ok"
WARNING: t.Final = "warning"
ERROR: t.Final = "error"

MAX_TEXT = 600
# A key id is no secret, but identifies an account: its ends tell two of them apart.
VISIBLE = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A setting of a destination.

    Attributes:
        setting: ``"region"``, ``"endpoint"``, ``"identity"``, ``"table prefix"`` or ``"transport"``.
        value: The value as text, without secrets; ``None`` if it has none.
        source: Where the value comes from, such as ``"DYNAMODB_BINDS['eu']['region']"``.
    """

    setting: str
    value: str | None
    source: str


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: What was checked, such as ``"endpoint"`` or ``"table Thread"``.
        level: ``"ok"``, ``"warning"`` or ``"error"``.
        message: What was found, and what to do.
    """

    check: str
    level: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor found at one destination.

    Attributes:
        bind_key: Key of the bind.
        tenant: Name of the tenant; ``None`` for no tenant.
        models: Class names of the models whose tables are there.
        values: The settings that decide the destination.
        findings: The results of the checks.
        declared_by: Name of the model whose ``Meta`` names the destination; ``None`` if the settings of the app do.
    """

    bind_key: str
    tenant: str | None
    models: tuple[str, ...]
    values: tuple[Value, ...]
    findings: tuple[Finding, ...]
    declared_by: str | None = None

    @property
    def label(self) -> str:
        """The key of the bind, with the model that names another destination for it: ``default (Thread)``."""
        return self.bind_key if self.declared_by is None else f"{self.bind_key} ({self.declared_by})"

    @property
    def is_ok(self) -> bool:
        """True if no check found an error."""
        return all(finding.level != ERROR for finding in self.findings)


def masked(value: str) -> str:
    """The ends of a key id."""
    return f"{value[:VISIBLE]}…{value[-VISIBLE:]}" if len(value) > 3 * VISIBLE else "…"


def safe_text(text: object, bind: Bind) -> str:
    """One line of a text that may come from a server, without secrets and control characters."""
    line = " ".join(re.sub(r"[^\x20-\x7e\xa0-\ufffd]", " ", str(text)).split())
    for secret in (bind.aws_secret_access_key, bind.aws_session_token):
        line = line.replace(secret, "…") if secret else line
    if bind.aws_access_key_id:
        line = line.replace(bind.aws_access_key_id, masked(bind.aws_access_key_id))
    line = without_password(line) or ""
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}…"
