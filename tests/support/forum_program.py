"""The forum with secrets that a search finds, and with Sentry's reports on standard output.

python -m tests.support.forum_program ACCOUNT [OPTIONS OF examples.forum]
gunicorn 'tests.support.forum_program:create_application("ACCOUNT")'
"""

from __future__ import annotations

import sys
import typing as t

import sentry_sdk
from sentry_sdk.transport import Transport

from examples.forum import sites
from examples.forum.__main__ import main
from examples.forum.operations import errors
from examples.forum.sites import SITES

SECRETS = {
    "DYNAMODB_AWS_SECRET_ACCESS_KEY": "hush-access-key",
    "FORUM_OPERATOR_PASSWORD": "hush-password",
    "SECRET_KEY": "hush-session-key",
}


class Printer(Transport):
    """Prints the reports in place of sending them."""

    def capture_envelope(self, envelope: t.Any) -> None:
        """Print the parts of an envelope, each on a line of its own."""
        sys.stdout.write("".join(f"{line}\n" for line in envelope.serialize().decode().splitlines()))


def use(account: str) -> None:
    """Let the sites have the secrets, and the tables of an account."""
    for site in SITES.values():
        site.update(SECRETS, DYNAMODB_AWS_ACCESS_KEY_ID=account)


def create_application(account: str) -> t.Any:
    """The forum for workers, with its tables."""
    use(account)
    created = sites.create_sites()
    sites.create_tables(created)
    return sites.create_application(created)


if __name__ == "__main__":
    use(sys.argv.pop(1))
    sentry_sdk.init(transport=Printer(), **errors.OPTIONS)
    main()
