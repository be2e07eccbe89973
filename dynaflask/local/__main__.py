"""``python -m dynaflask.local``: the local server in the foreground, without an app."""

from __future__ import annotations

import argparse
import sys

from dynaflask.exceptions import DynaflaskError
from dynaflask.local.process import run


def main() -> int | str:
    """Run the server until Ctrl-C or SIGTERM.

    Returns:
        The exit code, or the message of an error.
    """
    parser = argparse.ArgumentParser(
        prog="python -m dynaflask.local", description="Run the local server in the foreground, for several processes."
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free port. (default: 8000)")
    parser.add_argument("--path", help="The directory that keeps the data. (default: none; the data is in memory)")
    arguments = parser.parse_args()
    try:
        return run(port=arguments.port, path=arguments.path)
    except DynaflaskError as error:
        return f"Error: {error}"


if __name__ == "__main__":
    sys.exit(main())
