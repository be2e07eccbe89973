"""botocore sessions, one per identity. A session costs forty times as much as a client that is made of it."""

from __future__ import annotations

import collections.abc as cabc
import os
import threading
import typing as t
import weakref

import botocore.session
from botocore.credentials import AssumeRoleCredentialFetcher
from botocore.credentials import CredentialProvider
from botocore.credentials import CredentialResolver
from botocore.credentials import Credentials
from botocore.credentials import DeferredRefreshableCredentials

from dynaflask import local
from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.botocore_internals import mock_is_active
from dynaflask.client.codec import parts
from dynaflask.client.key import LOCAL
from dynaflask.client.key import STOCK
from dynaflask.client.key import ClientKey
from dynaflask.client.key import Identity
from dynaflask.client.service_data import default_loader
from dynaflask.exceptions import ConfigurationError

# The local server accepts any region and keys. With these, it never sees the developer's real keys.
LOCAL_REGION = "us-east-1"
LOCAL_KEYS = ("local", "local", None)


class LockedSession:
    """A session, and the lock under which clients are made of it.

    Args:
        session: A session of botocore or boto3.
    """

    def __init__(self, session: t.Any) -> None:
        self.session = session
        # Sessions are not thread-safe; clients are. While credentials are fetched over the network the lock is held,
        # but only threads that need a new client of the same identity wait for it.
        # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
        self._lock = threading.Lock()

    def create_client(self, service: str, **options: t.Any) -> t.Any:
        """A new client."""
        create = getattr(self.session, "create_client", None) or self.session.client
        with self._lock:
            return create(service, **options)

    def get_credentials(self) -> t.Any:
        """The session's credentials; ``None`` if it finds none."""
        with self._lock:
            return self.session.get_credentials()

    @property
    def region(self) -> str | None:
        """The region of the profile or the environment."""
        if hasattr(self.session, "get_config_variable"):
            return t.cast("str | None", self.session.get_config_variable("region"))
        return t.cast("str | None", self.session.region_name)


class SessionCache:
    """The sessions in use. One is kept as long as a client of it."""

    def __init__(self) -> None:
        # Held while a session is looked up or made, so that an identity has one session. Making one sends nothing.
        self._lock = threading.Lock()
        self._sessions: weakref.WeakValueDictionary[t.Any, LockedSession] = weakref.WeakValueDictionary()
        self._loader: t.Any = None

    def get(self, key: ClientKey, config: t.Any = None) -> LockedSession:
        """The session of a client's identity.

        Args:
            key: The client's key.
            config: The client's options. A client of STS uses them too, because it may need the same proxy.
        """
        identity = key.identity
        # A session caches its credentials. Those of moto's mock must not be used after it, nor those of variables that
        # have changed since.
        environment_key = (key.environment, mock_is_active(), len(BUILTIN_HANDLERS))
        is_stock = key.transport == STOCK
        with self._lock:
            if identity.role_arn:
                role = (identity, key.region, key.endpoint_url == LOCAL and key.local_path, key.options)
                base = self._base(identity, environment_key)
                return self._find((role, is_stock, *environment_key), lambda: self._role_session(key, base, config))
            if identity.session is not None:
                return self._base(identity, environment_key)
            # Clients with static keys have a session of their own. They must not wait while another thread holds the
            # lock of the environment's session to fetch its credentials.
            source = (identity.profile, _static_keys(key)[0] is not None)
            return self._find((source, is_stock, *environment_key), lambda: self._make_session(key))

    def _base(self, identity: Identity, environment_key: t.Any) -> LockedSession:
        """The session whose credentials assume a role: the program's own, or that of a profile."""
        if identity.session is not None:
            return self._find(identity.session, lambda: identity.session)
        has_keys = identity.aws_access_key_id is not None
        return self._find(
            (identity.profile, has_keys, *environment_key),
            lambda: self._share_loader(_new_botocore_session(identity.profile, has_keys=has_keys)),
        )

    def _find(self, name: t.Any, make: cabc.Callable[[], t.Any]) -> LockedSession:
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = LockedSession(make())
        return session

    def _role_session(self, key: ClientKey, base: LockedSession, config: t.Any) -> t.Any:
        session = self._make_session(key)
        provider = RoleProvider(key, base=base, config=config)
        session.set_config_variable("region", base.region)
        session.register_component("credential_provider", CredentialResolver([provider]))
        return session

    def _make_session(self, key: ClientKey) -> t.Any:
        identity = key.identity
        has_keys = identity.aws_access_key_id is not None or _static_keys(key)[0] is not None
        session = self._share_loader(_new_botocore_session(identity.profile, has_keys=has_keys))
        if key.transport != STOCK:
            parts.prepare_session(session)
        return session

    def _share_loader(self, session: botocore.session.Session) -> botocore.session.Session:
        # The loader caches botocore's data files. Loading them is most of the cost of a session.
        if self._loader is None:
            has_own_path = session.get_config_variable("data_path") is not None
            self._loader = session.get_component("data_loader") if has_own_path else default_loader()
        session.register_component("data_loader", self._loader)
        return session


class RoleProvider(CredentialProvider):
    """Assumes a role with the credentials of another identity, and again before the role's credentials expire.

    Args:
        key: The key of a client with the role. Its static keys, if it has them, assume the role.
        base: The session whose credentials assume the role otherwise.
        config: The options of the client.
    """

    METHOD = "dynaflask-role"

    def __init__(self, key: ClientKey, *, base: LockedSession, config: t.Any) -> None:
        super().__init__()
        self._key = key
        self._identity = key.identity
        self._base = base
        self._config = config

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that are fetched at the first call, and refreshed by one thread before they expire."""
        identity = self._identity
        tags: cabc.Mapping[str, str] = identity.session_tags or {}
        extra = {
            "RoleSessionName": identity.role_session_name,
            "ExternalId": identity.external_id,
            "DurationSeconds": identity.role_duration_seconds,
            "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())] or None,
            "Policy": identity.session_policy,
        }
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._create_sts_client,
            source_credentials=self._base_credentials(),
            role_arn=t.cast("str", identity.role_arn),
            extra_args={name: value for name, value in extra.items() if value is not None},
        )
        return DeferredRefreshableCredentials(method=self.METHOD, refresh_using=fetcher.fetch_credentials)

    def _create_sts_client(self, service: str, **keys: t.Any) -> t.Any:
        # The endpoint is looked up at the call, because the local server may have to be started first.
        return self._base.create_client(service, config=self._config, **_sts_options(self._key), **keys)

    def _base_credentials(self) -> t.Any:
        if self._identity.aws_access_key_id:
            return Credentials(*t.cast("tuple[str, str, str | None]", self._identity[:3]))
        credentials = self._base.get_credentials()
        if credentials is None:
            raise ConfigurationError(
                "DYNAMODB_ROLE_ARN is set, but no credentials were found to assume the role. Set"
                " DYNAMODB_AWS_ACCESS_KEY_ID and DYNAMODB_AWS_SECRET_ACCESS_KEY, DYNAMODB_PROFILE or DYNAMODB_SESSION,"
                " or provide credentials in the environment."
            )
        return credentials


def new_session(key: ClientKey) -> t.Any:
    """A new session of an identity, for one caller; or the session of ``DYNAMODB_SESSION``."""
    session = SessionCache().get(key).session
    keys = _static_keys(key)
    if keys[0] is not None:
        session.set_credentials(*keys)
    return session


def isolated_session() -> LockedSession:
    """A new session that reads no variables and no files: a client of it has botocore's defaults."""
    variables = botocore.session.Session.SESSION_VARIABLES
    defaults = {name: (None, None, default, convert) for name, (_, _, default, convert) in variables.items()}
    empty = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    session = botocore.session.Session(session_vars={**defaults, **empty})
    session.register_component("data_loader", default_loader())
    parts.prepare_session(session)
    return LockedSession(session)


def client_options(key: ClientKey, session: LockedSession) -> dict[str, t.Any]:
    """The region, the endpoint and the static keys of a client, as arguments of ``create_client``.

    Args:
        key: The client's key.
        session: The session that the client is made of.
    """
    access_key_id, secret_access_key, session_token = _static_keys(key)
    is_local = key.endpoint_url == LOCAL
    return {
        "region_name": key.region or (is_local and (session.region or LOCAL_REGION)) or None,
        "endpoint_url": local.endpoint(key.local_path) if is_local else key.endpoint_url,
        "aws_access_key_id": access_key_id,
        "aws_secret_access_key": secret_access_key,
        "aws_session_token": session_token,
    }


def _new_botocore_session(profile: str | None, *, has_keys: bool) -> botocore.session.Session:
    session = botocore.session.Session(profile=profile)
    # Keys in the settings need no profile. botocore would still fail if AWS_PROFILE names one that is missing.
    if has_keys and profile is None and session.profile not in {None, *session.available_profiles}:
        return botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    return session


def _static_keys(key: ClientKey) -> tuple[str | None, str | None, str | None]:
    identity = key.identity
    if identity.role_arn:
        return (None, None, None)
    if key.endpoint_url == LOCAL and not any(identity):
        return LOCAL_KEYS
    return identity[:3]


def _sts_options(key: ClientKey) -> dict[str, t.Any]:
    options: dict[str, t.Any] = {"region_name": key.region}
    if key.endpoint_url == LOCAL:
        options |= {"region_name": key.region or LOCAL_REGION, "endpoint_url": local.endpoint(key.local_path)}
    return options
