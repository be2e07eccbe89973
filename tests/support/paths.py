"""Paths of the project and of its slow tests, and the environment of the programs that tests start."""

from __future__ import annotations

import os
import pathlib

SUPPORT = pathlib.Path(__file__).parent
TESTS = SUPPORT.parent
PROJECT = TESTS.parent
PACKAGE = PROJECT / "dynaflask"

# Files that take seconds, the slowest first. conftest.py starts with them and marks their tests `slow`.
SLOW_FILES = tuple(
    TESTS / name
    for name in (
        "registry/test_isolation.py",
        "client/direct/test_transport.py",
        "client/test_forks.py",
        "project/test_site.py",
        "project/test_docs.py",
        "client/codec/test_parts.py",
        "model/test_shared_objects.py",
        "local/test_process.py",
        "project/test_forum.py",
        "cli/commands/test_local_server.py",
        "cli/commands/test_items.py",
        "local/test_server.py",
        "model/test_pynamodb.py",
        "integrations/test_pytest.py",
        "client/test_transports_agree.py",
        "registry/test_tenant_isolation.py",
        "registry/test_contexts_machine.py",
        "local/test_watcher.py",
        "local/test_differences.py",
        "local/test_main.py",
        "local/test_ministack.py",
        "local/test_guard.py",
        "project/test_forum_operations.py",
        "local/test_data_lock.py",
        "registry/test_leaks.py",
        "integrations/test_flask_admin.py",
        "integrations/test_flask_admin_browser.py",
        "project/test_pictures.py",
        "integrations/test_celery.py",
        "integrations/test_prometheus.py",
        "integrations/test_debugtoolbar.py",
        "integrations/dashboard/test_dashboard.py",
        "integrations/test_sentry.py",
        "integrations/test_opentelemetry.py",
        "registry/test_tenants_machine.py",
        "registry/test_block_stack.py",
        "registry/test_sequences_machine.py",
        "registry/test_generators_of_calls.py",
        "compat/test_flask_pynamodb.py",
        "compat/test_flask_dynamo.py",
        "client/codec/test_request_serializer.py",
        "client/codec/test_response_parser.py",
        "client/direct/test_signature.py",
        "client/test_call_timeout.py",
        "client/test_expiry.py",
        "testing/test_fault_plan.py",
        "testing/test_faults.py",
        "client/test_first_calls.py",
        "client/test_fork_sequences.py",
        "client/test_gevent_sequences.py",
        "client/test_gevent.py",
        "model/test_conditions.py",
        "model/codec/test_deserializer.py",
        "model/codec/test_serializer.py",
        "tables/migrations/test_kills.py",
        "tables/migrations/test_runner.py",
        "tables/migrations/test_segments.py",
        "cli/test_migrations.py",
        "tables/test_dump.py",
        "tables/streams/test_consumer.py",
        "cli/test_stream.py",
        "tables/test_export.py",
        "tables/test_load.py",
        "tables/test_policy.py",
        "testing/test_observe.py",
        "support/test_engines.py",
    )
)


_measurement: dict[str, str] = {}


def measure_no_programs() -> None:
    """Take the variables out of the environment that measure the coverage of programs. It costs them a third more time.

    Nearly all lines that the programs of tests run are measured by tests within this process.
    """
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
        _measurement[name] = os.environ.pop(name)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a program in ``tests/support``, with the package and the tests' helpers on its path."""
    return {**os.environ, "PYTHONPATH": str(PROJECT), **variables}


def measured_environment(**variables: str) -> dict[str, str]:
    """That of a program which alone runs some lines of the package."""
    return environment(**_measurement, **variables)
