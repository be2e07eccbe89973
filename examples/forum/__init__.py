"""A forum with two sites in one process: one model, two regions, two accounts. Start it with:

    python -m examples.forum

Read it in this order:

    models.py     Thread: the one model of both sites, which names no region, endpoint or account
    views.py      the JSON API of a site, with Flask-RESTX
    operators.py  the dashboard of a site
    operations/   logs, metrics, traces and pages, all of which everything.cfg switches on
    app.py        the app factory: one site from its configuration
    sites.py      the two configurations, and the two apps behind one dispatcher
    start.py      the start page, which reads from both apps
    __main__.py   the command above
    wsgi.py       the application for a server with several workers
"""
