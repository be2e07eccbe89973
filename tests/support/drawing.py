"""A small canvas for the drawings of the documentation: boxes, texts and arrows in one style, as SVG.

A drawing brings its own background and follows the system's light or dark colours, so that it is readable on any page.
"""

from __future__ import annotations

import xml.sax.saxutils

LIGHT = {
    "back": "#ffffff",
    "box": "#f1f4f8",
    "accent": "#dcebfb",
    "line": "#57606a",
    "text": "#1f2328",
    "note": "#4f5963",
    "code": "#0b4a8f",
}
DARK = {
    "back": "#12161c",
    "box": "#222a35",
    "accent": "#123a63",
    "line": "#9aa5b1",
    "text": "#e8edf2",
    "note": "#b1bac4",
    "code": "#a5d2ff",
}
# Texts, and what they stand on.
TEXTS = ("text", "note", "code")
GROUNDS = ("back", "box", "accent")

STYLE = """
    svg {{ {light} }}
    @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}
    text {{ font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--text); }}
    .bold {{ font-weight: 600; }}
    .note {{ font-size: 12px; fill: var(--note); }}
    .code {{ font: 13px ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", monospace; fill: var(--code); }}
    .back {{ fill: var(--back); }}
    .box {{ fill: var(--box); stroke: var(--line); }}
    .accent {{ fill: var(--accent); stroke: var(--line); }}
    .band {{ fill: var(--box); }}
    .line {{ fill: none; stroke: var(--line); stroke-width: 1.5; }}
    .thin {{ stroke-width: 0.5; }}
    .tip {{ fill: var(--line); }}
"""


class Canvas:
    """A drawing. Lengths are pixels; ``y`` grows downwards.

    Args:
        width: The width. Up to 500, texts are readable on a phone.
        height: The height.
        title: What the drawing shows, for those who do not see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width = width
        self.height = height
        self.title = title
        self._elements: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, kind: str = "box") -> None:
        """A box: ``box``, ``accent``, or ``band``, which has no border."""
        self._elements.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>'
        )

    def text(self, x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> None:
        """A line of text: plain, ``bold``, ``note`` or ``code``. ``y`` is its baseline."""
        classes = f' class="{kind}"' if kind else ""
        anchored = f' text-anchor="{anchor}"' if anchor != "start" else ""
        words = xml.sax.saxutils.escape(text)
        self._elements.append(f'<text{classes}{anchored} x="{x:g}" y="{y:g}">{words}</text>')

    def label(self, x: float, width: float, lines: list[tuple[str, str]], *, y: float, kind: str = "box") -> None:
        """A box with centred lines of text, each with its kind."""
        self.box(x, y, width, 14 + 18 * len(lines), kind)
        for number, (text, text_kind) in enumerate(lines):
            self.text(x + width / 2, y + 20 + 18 * number, text, text_kind, anchor="middle")

    def line(self, x: float, y: float, *, to_x: float, kind: str = "line thin") -> None:
        """A thin horizontal line."""
        self._elements.append(f'<path class="{kind}" d="M{x:g} {y:g}H{to_x:g}"/>')

    def arrow(self, x: float, y: float, *, to_x: float | None = None, to_y: float | None = None) -> None:
        """An arrow to the right, or down."""
        if to_x is not None:
            self._elements.append(f'<path class="line" d="M{x:g} {y:g}H{to_x - 5:g}"/>')
            self._elements.append(f'<path class="tip" d="M{to_x:g} {y:g}l-7 -3.5v7Z"/>')
        if to_y is not None:
            self._elements.append(f'<path class="line" d="M{x:g} {y:g}V{to_y - 5:g}"/>')
            self._elements.append(f'<path class="tip" d="M{x:g} {to_y:g}l-3.5 -7h7Z"/>')

    def render(self) -> str:
        """The drawing as SVG."""
        colours = [" ".join(f"--{name}: {value};" for name, value in palette.items()) for palette in (LIGHT, DARK)]
        style = STYLE.format(light=colours[0], dark=colours[1])
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{xml.sax.saxutils.escape(self.title)}</title>",
            f"<style>{style}</style>",
            f'<rect class="back" width="{self.width}" height="{self.height}" rx="8"/>',
            *self._elements,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"
