"""The forum for a server with several workers. They share one local server, which you start in another terminal:

    python -m dynaflask.local --port 8000

Set its URL, create the tables once, and start the workers:

    export FORUM_DYNAMODB_HOST=http://127.0.0.1:8000
    python -m examples.forum --tables-only
    gunicorn --bind 127.0.0.1:8080 --workers 4 --preload examples.forum.wsgi

All workers reach the same data. With ``FORUM_SETTINGS=examples/forum/everything.cfg``, set ``PROMETHEUS_MULTIPROC_DIR``
to an empty directory, too: the metrics are those of all workers then.
"""

from __future__ import annotations

from examples.forum.sites import create_application
from examples.forum.sites import create_sites

application = create_application(create_sites())
