"""Start the forum: ``python -m examples.forum``."""

from __future__ import annotations

import argparse
import pathlib
import sys

from werkzeug.serving import make_server

from dynaflask import LocalServerError
from examples.forum.sites import create_application
from examples.forum.sites import create_sites
from examples.forum.sites import create_tables
from examples.forum.sites import read_settings


def main() -> None:
    """Create the tables, and serve the forum until Ctrl-C."""
    options = read_options()
    sites = create_sites(read_settings(options.settings))
    try:
        create_tables(sites)
    except LocalServerError as error:
        sys.exit(str(error))
    if options.tables_only:
        return
    with make_server("127.0.0.1", options.port, create_application(sites), threaded=True) as server:
        print(f"The forum runs until Ctrl-C at http://127.0.0.1:{server.port}/", flush=True)
        server.serve_forever()


def read_options() -> argparse.Namespace:
    """The options on the command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.forum", description=main.__doc__)
    parser.add_argument(
        "--port", type=int, default=5000, help="port on 127.0.0.1; 0 chooses a free one (default: 5000)"
    )
    parser.add_argument(
        "--settings", type=pathlib.Path, metavar="FILE", help="settings of all sites, such as everything.cfg"
    )
    parser.add_argument("--tables-only", action="store_true", help="create the tables and exit")
    return parser.parse_args()


if __name__ == "__main__":
    main()
