"""The forum for a server with many workers. They share one engine, which runs by itself in a terminal of its own:

    flask --app examples.forum.app dynamo local --port 8000

Give its URL to the rest, and create the tables once:

    export FORUM_DYNAMODB_HOST=http://127.0.0.1:8000
    python -m examples.forum --tables-only
    gunicorn --workers 4 examples.forum.wsgi

Each worker reaches the same data.
"""

from __future__ import annotations

from examples.forum.sites import create_application
from examples.forum.sites import create_sites

application = create_application(create_sites())
