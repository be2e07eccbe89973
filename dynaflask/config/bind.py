"""A bind: one named destination with its client options."""

from __future__ import annotations

import dataclasses
import typing as t

import botocore.config
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.fields import BIND_FIELDS
from dynaflask.config.fields import DESTINATION_SETTINGS
from dynaflask.config.settings import DEFAULT_BIND
from dynaflask.config.validators import TablePrefix
from dynaflask.config.validators import Values


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Bind:
    """One named destination with its client options, for one app.

    A value of ``None`` is unset: PynamoDB's settings file or botocore decides.

    Attributes:
        key: Key in ``DYNAMODB_BINDS``, or ``"default"``.
        region: AWS region.
        host: URL of the endpoint, or ``"local"`` for the local server.
        connect_timeout_seconds: Longest time to open a connection, in seconds.
        read_timeout_seconds: Longest wait for the next bytes of a response, in seconds.
        call_timeout_seconds: Longest time of a call with all its attempts, in seconds.
        max_retry_attempts: Number of retries after a failed attempt.
        retry_configuration: How botocore retries failed calls.
        retry_conflicts: Number of retries after a conflict with a transaction.
        return_values_on_condition_failure: If ``"ALL_OLD"``, the error of a failed condition has the item.
        max_pool_connections: Number of open connections that one client keeps.
        extra_headers: HTTP headers that each request carries, unsigned.
        aws_access_key_id: AWS access key id.
        aws_secret_access_key: AWS secret access key.
        aws_session_token: Session token of temporary credentials.
        profile: Profile of the AWS configuration files.
        session: botocore or boto3 session that makes the client.
        role_arn: ARN of the IAM role to assume.
        role_session_name: Name of the role session.
        external_id: External id that the role requires.
        role_duration_seconds: Lifetime of the role's credentials, in seconds.
        session_tags: Tags of the role session, for use in IAM policies.
        session_policy: IAM policy that restricts the role session further.
        client_factory: Callable that takes the bind and returns the client.
        client_config: botocore ``Config`` with further client options.
        share_client: If false, no other app uses this app's client.
        transport: How calls are sent: ``"direct"``, ``"botocore"`` or ``"stock"``.
        table_prefix: Prefix of each declared table name, or a callable that returns the real name.
        read_capacity_units: Read capacity units of a new table.
        write_capacity_units: Write capacity units of a new table.
        billing_mode: Billing mode of a new table: ``"PAY_PER_REQUEST"`` or ``"PROVISIONED"``.
        table_class: Table class, which decides the prices.
        sse: Key that encrypts the table.
        point_in_time_recovery: Number of days from which the table can be restored.
        on_demand_throughput: Largest number of request units per second of an on-demand table.
        contributor_insights: If true, CloudWatch shows the keys that are used most.
        local_path: Directory where the local server stores its data.
    """

    key: str = DEFAULT_BIND
    _: dataclasses.KW_ONLY
    region: str | None = None
    host: str | None = None
    connect_timeout_seconds: float | None = None
    read_timeout_seconds: float | None = None
    call_timeout_seconds: float | None = None
    max_retry_attempts: int | None = None
    retry_configuration: str | ImmutableDict[str, t.Any] | None = None
    retry_conflicts: int | None = None
    return_values_on_condition_failure: str | None = None
    max_pool_connections: int | None = None
    extra_headers: ImmutableDict[str, str] | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    profile: str | None = None
    session: t.Any = None
    role_arn: str | None = None
    role_session_name: str | None = None
    external_id: str | None = None
    role_duration_seconds: int | None = None
    session_tags: ImmutableDict[str, str] | None = None
    session_policy: str | None = None
    client_factory: t.Callable[[Bind], t.Any] | None = None
    client_config: botocore.config.Config | None = None
    share_client: bool | None = None
    transport: str | None = None
    table_prefix: TablePrefix | None = None
    read_capacity_units: int | None = None
    write_capacity_units: int | None = None
    billing_mode: str | None = None
    table_class: str | None = None
    sse: str | None = None
    point_in_time_recovery: int | None = None
    on_demand_throughput: ImmutableDict[str, int] | None = None
    contributor_insights: str | None = None
    local_path: str | None = None
    _hash: int | None = dataclasses.field(default=None, init=False, compare=False)

    def __hash__(self) -> int:
        # Each context looks binds up in dicts, and a hash over all fields is slow. Two threads may compute it at once:
        # they store the same value.
        kept = self._hash
        if kept is None:
            kept = hash((self.key, *(getattr(self, name) for name in BIND_FIELDS)))
            object.__setattr__(self, "_hash", kept)
        return kept

    def __reduce__(self) -> tuple[t.Any, ...]:
        # Without the hash: another process hashes strings with another seed.
        return make_bind, (self.key, {name: getattr(self, name) for name in BIND_FIELDS})

    @property
    def destination(self) -> tuple[t.Any, ...]:
        """The values that decide where a request goes, and with which identity."""
        # A factory gets the bind, and may choose the client by its key.
        key = None if self.client_factory is None else self.key
        return (key, *(getattr(self, name) for name in sorted(DESTINATION_SETTINGS)))

    def __repr__(self) -> str:
        return f"<Bind {self.key!r} region={self.region!r} host={self.host!r}>"


def _refuse_assignment(bind: Bind, name: str, value: object = None) -> t.NoReturn:
    raise AttributeError(f"{bind!r} is frozen. Enter other values with `with db.using({name}=...):`.")


# dataclass accepts no __setattr__ in the body of a frozen class, and its own error does not say what to do.
Bind.__setattr__ = Bind.__delattr__ = _refuse_assignment  # type: ignore[assignment,method-assign]


def make_bind(bind_key: str, values: Values) -> Bind:
    """The bind with these values. Settings that are not fields of a bind are ignored."""
    return Bind(bind_key, **{name: values[name] for name in BIND_FIELDS if name in values})
