"""The forum for a server with several workers. They share one local server, which you start in another terminal:

    flask --app examples.forum.app dynamo local --port 8000

Set its URL, create the tables once, and start the workers:

    export FORUM_DYNAMODB_HOST=http://127.0.0.1:8000
    python -m examples.forum --tables-only
    gunicorn --workers 4 examples.forum.wsgi

All workers reach the same data.
"""

from __future__ import annotations

from examples.forum.sites import create_application
from examples.forum.sites import create_sites

application = create_application(create_sites())
