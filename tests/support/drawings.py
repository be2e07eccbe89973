"""The drawings of the documentation. What they say is data here, which ``tests/project/test_pictures.py`` tries out."""

from __future__ import annotations

import re
import typing as t

from tests.support.drawing import Canvas
from tests.support.paths import PROJECT

# The region and account of each bind of each app. Apps with the same region and account share a client.
US, ARCHIVE, EU = ("us-west-2", "111111111111"), ("us-west-2", "333333333333"), ("eu-west-1", "222222222222")
PLACES = {
    "us": {"default": US, "archive": ARCHIVE},
    "eu": {"default": EU},
    "admin": {"default": EU},
}

# The order in which a setting is looked up: a title, and where it is set.
LAYERS = {
    "tenant": ('DYNAMODB_TENANTS["acme"]', "cannot be overridden"),
    "context": ("Thread.Meta.region = ...", 'or db.using("archive")'),
    "app, by model": ('DYNAMODB_MODELS["Thread"]', ""),
    "model": ("class Meta: region = ...", ""),
    "bind": ('DYNAMODB_BINDS["archive"]', "over DYNAMODB_REGION"),
    "outside the app": ("AWS_DEFAULT_REGION", "PynamoDB's settings file, then botocore"),
}


class Table(t.NamedTuple):
    """A table, with the stored hash key of each tenant's item."""

    name: str
    keys: dict[str, str]


# The tables in which each tenant has an item with the hash key "in".
TENANCY = {
    "silo": [Table("acme.Note", {"acme": "in"}), Table("globex.Note", {"globex": "in"})],
    "pool": [Table("Note", {"acme": "acme#in", "globex": "globex#in"})],
    "bridge": [Table("Note", {"small": "small#in", "tiny": "tiny#in"}), Table("big.Note", {"big": "big#in"})],
}
TENANCY_NOTES = {"silo": "a table for each", "pool": "one table for all", "bridge": "both"}

# What exists after each step of a program.
LANES = ("context", "scope", "block", "client")
LIFE: list[tuple[str, set[str]]] = [
    ("with app.app_context():", {"context"}),
    ('    Thread.get("flask")', {"context", "scope", "client"}),
    ('    with db.using("archive"):', {"context", "scope", "block", "client"}),
    ("    # after the block", {"context", "scope", "client"}),
    ("# after the context", {"client"}),
    ("with app.app_context():", {"context", "client"}),
    ('    Thread.get("flask")', {"context", "scope", "client"}),
]


class Step(t.NamedTuple):
    """A step of a call: its number on the page, a function, and its module."""

    number: int
    function: str
    module: str

    @property
    def package(self) -> str:
        """The package of the module: of dynaflask, or ``pynamodb``."""
        root, _, rest = self.module.partition("/")
        return root if root == "pynamodb" else rest.rpartition("/")[0]

    @property
    def is_first_use(self) -> bool:
        """True if a context that has used the model before skips the step, as the page says."""
        return self.number in {4, 5, 6, 9, 13}


def steps_of_a_call() -> list[Step]:
    """The steps on the page about the architecture. A step with two functions is two of these."""
    page = (PROJECT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    walk = page.partition("## The path of a call")[2].partition("\n## ")[0]
    pattern = r"^(\d+)\. (`.+?`(?: and `.+?`)?)\s+\((PynamoDB,\s+)?`(.+?)`\)"
    return [
        Step(int(number), function, f"{'pynamodb' if upstream else 'dynaflask'}/{module}")
        for number, functions, upstream, module in re.findall(pattern, walk, re.MULTILINE)
        for function in re.findall("`(.+?)`", functions)
    ]


class Column(t.NamedTuple):
    """A column of the overview."""

    x: int
    app: str
    bind: str
    place: tuple[str, str]


def draw_overview() -> Canvas:
    """From the model to the region and account of its items."""
    title = "One model, three apps. Each app has binds. Each bind uses a client for one region and account."
    canvas = Canvas(486, 364, title)
    binds = [(app, bind, place) for app, own in PLACES.items() for bind, place in own.items()]
    columns = [Column(64 + 104 * number, *bind) for number, bind in enumerate(binds)]
    for y, name in ((40, "model"), (116, "app"), (182, "bind"), (248, "client"), (314, "region"), (332, "account")):
        canvas.text(12, y, name, "note")
    lines = [("class Thread(Model)", "code"), ("declared once, without a region or an account", "note")]
    canvas.label(*_span(columns), lines, y=12, kind="accent")
    for app in PLACES:
        x, width = _span([column for column in columns if column.app == app])
        canvas.arrow(x + width / 2, 62, to_y=95)
        canvas.label(x, width, [(app, "bold")], y=96)
    for column in columns:
        x, width = _span([column])
        canvas.arrow(x + width / 2, 128, to_y=161)
        canvas.label(x, width, [(column.bind, "code")], y=162)
        canvas.arrow(x + width / 2, 194, to_y=227)
    for place in dict.fromkeys(column.place for column in columns):
        users = [column for column in columns if column.place == place]
        x, width = _span(users)
        canvas.label(x, width, [("one client" if len(users) > 1 else "client", "")], y=228)
        canvas.arrow(x + width / 2, 260, to_y=293)
        canvas.label(x, width, [(place[0], "bold"), (place[1], "note")], y=294, kind="accent")
    return canvas


def _span(columns: list[Column]) -> tuple[int, int]:
    return columns[0].x, columns[-1].x + 98 - columns[0].x


def draw_precedence() -> Canvas:
    """Which value wins."""
    height = 52
    canvas = Canvas(480, 40 + height * len(LAYERS), "Which value wins: " + ", then ".join(LAYERS) + ".")
    canvas.text(34, 24, "The first that has a value wins.", "note")
    canvas.arrow(18, 16, to_y=28 + height * len(LAYERS))
    for number, (name, (code, note)) in enumerate(LAYERS.items()):
        y = 34 + height * number
        canvas.box(34, y, 434, height - 8, "accent" if number == 0 else "box")
        canvas.text(48, y + 27, str(number + 1), "bold")
        canvas.text(70, y + 27, name, "bold")
        canvas.text(206, y + (20 if note else 27), code, "code")
        if note:
            canvas.text(206, y + 36, note, "note")
    return canvas


ROW = 38


def draw_tenancy() -> Canvas:
    """Silo, pool and bridge."""
    heights = {name: sum(ROW * len(table.keys) + 12 for table in tables) for name, tables in TENANCY.items()}
    title = "Tenants and tables of a silo, a pool and a bridge."
    canvas = Canvas(480, 16 + sum(heights.values()) + 28 * len(heights), title)
    for x, anchor, name in ((179, "middle", "tenant"), (300, "start", "table"), (456, "end", "stored hash key")):
        canvas.text(x, 24, name, "note", anchor=anchor)
    y = 36
    for name, tables in TENANCY.items():
        if y > 36:
            canvas.line(14, y - 17, to_x=466)
        canvas.text(14, y + 20, name, "bold")
        canvas.text(14, y + 38, TENANCY_NOTES[name], "note")
        at = y
        for table in tables:
            _draw_table(canvas, table, at)
            at += ROW * len(table.keys) + 12
        y += heights[name] + 28
    return canvas


def _draw_table(canvas: Canvas, table: Table, y: float) -> None:
    height = ROW * len(table.keys) + 4
    canvas.box(286, y, 182, height, "accent")
    canvas.text(300, y + height / 2 + 5, table.name, "code")
    for number, (tenant, key) in enumerate(table.keys.items()):
        middle = y + ROW * (number + 0.5) + 2
        canvas.box(136, middle - 15, 86, 30)
        canvas.text(179, middle + 5, tenant, anchor="middle")
        canvas.arrow(222, middle, to_x=285)
        canvas.text(456, middle + 5, key, "note", anchor="end")


def draw_call() -> Canvas:
    """The way of a call."""
    steps = steps_of_a_call()
    row, top = 25, 12
    title = "The functions that a call passes, from the model to the socket: " + ", ".join(
        step.function for step in steps
    )
    canvas = Canvas(500, top + row * len(steps) + 70, title + ".")
    previous = ""
    for number, step in enumerate(steps):
        y = top + row * number
        if step.package != previous:
            canvas.text(12, y + 17, f"{step.package}/", "note")
        previous = step.package
        canvas.box(112, y + 1, 376, row - 2, "accent" if step.package == "pynamodb" else "band")
        canvas.text(136, y + 17, str(step.number), "note", anchor="end")
        canvas.text(148, y + 17, step.function, "code")
        if step.is_first_use:
            canvas.text(478, y + 17, "first use", "note", anchor="end")
    bottom = top + row * len(steps)
    canvas.arrow(300, bottom + 2, to_y=bottom + 25)
    canvas.label(112, 376, [("DynamoDB", "bold")], y=bottom + 26, kind="accent")
    return canvas


def draw_life() -> Canvas:
    """The life of a scope."""
    row, top, left, lane = 38, 38, 258, 56
    canvas = Canvas(490, top + row * len(LIFE) + 8, "How long a context, its scope, a block and a client live.")
    for number, name in enumerate(LANES):
        canvas.text(left + lane * (number + 0.5), 24, name, "note", anchor="middle")
    for number, (step, _) in enumerate(LIFE):
        y = top + row * number
        canvas.line(12, y, to_x=478)
        canvas.text(14 + 4 * (len(step) - len(step.lstrip())), y + 24, step.strip(), "code")
    for number, name in enumerate(LANES):
        x = left + lane * (number + 0.5) - 12
        alive = [name in state for _, state in LIFE] + [False]
        for start in [at for at in range(len(LIFE)) if alive[at] and not (at and alive[at - 1])]:
            end = alive.index(False, start)
            canvas.box(x, top + row * start + 5, 24, row * (end - start) - 10, "accent" if name == "client" else "box")
    return canvas


DRAWINGS: dict[str, t.Callable[[], Canvas]] = {
    "overview": draw_overview,
    "precedence": draw_precedence,
    "tenancy": draw_tenancy,
    "call": draw_call,
    "scope": draw_life,
}
