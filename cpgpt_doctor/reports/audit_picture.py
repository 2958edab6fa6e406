"""A picture of an audit: how far each row is from its own location's, and from the nearest other's.

One SVG without scripts, styles or colours of its own: what a row is shows in the shape of its mark,
and lines and text have the colour of the page.
"""

from __future__ import annotations

import math
from html import escape

from cpgpt_doctor.facts.audit import AuditedRow, AuditFacts
from cpgpt_doctor.reports.stream import visible
from cpgpt_doctor.words import Language, Words

LEFT, TOP, SIDE = 110.0, 20.0, 400.0  # of the square that marks stand in, in units of the picture
WIDTH, HEIGHT = 880, 500
# Powers of ten of a row's norm; what is less, or equal, stands at the lower end.
LEAST, MOST = -8, 1
SIZE = 4.0

TITLE = Words(
    "How far each row is from its own location's, and from the nearest other's",
    "每一行与自己位点、与最近的别的位点的距离",
)
OWN = Words(
    "difference from its own location's row (share of the norm)",
    "与自己位点那一行的差别（占范数的比例）",
)
OTHER = Words("from the nearest other location's", "与最近的别的位点的差别")
EQUAL = Words("equal", "相同")
BESIDE = Words(
    "Below the dotted line a row is nearer to another location's than to its own.",
    "虚线以下的行，离别的位点比离自己的更近。",
)
# The mark of each verdict: those that come to the same remedy look alike.
MARKS = {
    "own": "circle",
    "near": "disc",
    "foreign": "cross",
    "other-kind": "triangle",
    "padded": "square",
    "zero": "plus",
    "not-finite": "plus",
}
REST = "diamond"
SAID = {
    "circle": Words("its own", "自己的行"),
    "disc": Words("its own, nearly", "几乎是自己的行"),
    "cross": Words("another location's", "别的位点的行"),
    "triangle": Words("its own, of the other kind", "自己的行，属于另一类"),
    "square": Words("padded to its batch", "按批次填充的行"),
    "plus": Words("zero, or not a number", "全零或非数值"),
    "diamond": Words("of other windows, or of unknown making", "别的窗口的行，或来历不明"),
}


def picture(audit: AuditFacts, language: Language) -> str:
    """The picture as SVG; empty where no distance to another location is known."""
    rows = [each for each in audit.rows if each.nearest is not None]
    if not rows:
        return ""
    counts: dict[str, int] = {}
    for each in rows:
        counts[mark_of(each)] = counts.get(mark_of(each), 0) + 1
    legend = [f"{SAID[mark].say(language)}: {count}" for mark, count in sorted(counts.items())]
    described = f"{BESIDE.say(language)} {'; '.join(legend)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-labelledby="{language}-picture {language}-described" fill="none"'
        ' stroke="currentColor" font-size="13">',
        f'<title id="{language}-picture">{escape(TITLE.say(language))}</title>',
        f'<desc id="{language}-described">{escape(described)}</desc>',
        f'<rect x="{LEFT:g}" y="{TOP:g}" width="{SIDE:g}" height="{SIDE:g}"/>',
        f'<path d="M{LEFT:g} {TOP + SIDE:g}L{LEFT + SIDE:g} {TOP:g}" stroke-dasharray="2 5"/>',
        *axes(language),
        *(marked(each, language) for each in rows),
    ]
    for number, (mark, count) in enumerate(sorted(counts.items())):
        x, y = LEFT + SIDE + 24, TOP + 12 + 26 * number
        parts.append(shape(mark, x, y))
        parts.append(text(x + 12, y + 5, f"{SAID[mark].say(language)}: {count}", "start"))
    return "\n".join([*parts, "</svg>"])


def mark_of(row: AuditedRow) -> str:
    return MARKS.get(row.verdict, REST)


def axes(language: Language) -> list[str]:
    parts = []
    for power in range(LEAST, MOST + 1):
        at = SIDE * (power - LEAST) / (MOST - LEAST)
        said = EQUAL.say(language) if power == LEAST else f"1e{power}" if power else "1"
        if power != MOST:
            parts.append(text(LEFT + at, TOP + SIDE + 20, said, "middle"))
            parts.append(text(LEFT - 8, TOP + SIDE - at + 5, said, "end"))
    middle = LEFT + SIDE / 2
    parts.append(text(middle, TOP + SIDE + 44, OWN.say(language), "middle"))
    turned = f"rotate(-90 24 {TOP + SIDE / 2:g})"
    parts.append(text(24, TOP + SIDE / 2, OTHER.say(language), "middle", turned))
    return parts


def text(x: float, y: float, said: str, anchor: str, turned: str = "") -> str:
    transform = f' transform="{turned}"' if turned else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor"'
        f' stroke="none"{transform}>{escape(said)}</text>'
    )


def place(difference: float | None) -> float:
    """Where a difference stands on an axis, from 0 to 1; None is infinite."""
    if difference is None:
        return 1.0
    power = math.log10(difference) if difference > 0 else LEAST
    return (min(max(power, LEAST), MOST) - LEAST) / (MOST - LEAST)


def marked(row: AuditedRow, language: Language) -> str:
    x = LEFT + SIDE * place(row.difference)
    y = TOP + SIDE * (1 - place(row.nearest))
    mark = mark_of(row)
    named = f"{row.location} ({SAID[mark].say(language)}): {row.owner or row.nearest_to}"
    plain = " ".join(visible(named).split())
    return f"<g><title>{escape(plain)}</title>{shape(mark, x, y)}</g>"


def shape(mark: str, x: float, y: float) -> str:
    size, low, high, left, right = SIZE, y + SIZE, y - SIZE, x - SIZE, x + SIZE
    if mark in ("circle", "disc"):
        filled = ' fill="currentColor"' if mark == "disc" else ""
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size - 1:g}"{filled}/>'
    paths = {
        "cross": f"M{left:.1f} {high:.1f}L{right:.1f} {low:.1f}M{left:.1f} {low:.1f}"
        f"L{right:.1f} {high:.1f}",
        "plus": f"M{left:.1f} {y:.1f}H{right:.1f}M{x:.1f} {high:.1f}V{low:.1f}",
        "triangle": f"M{left:.1f} {low:.1f}H{right:.1f}L{x:.1f} {high:.1f}Z",
        "square": f"M{left:.1f} {high:.1f}H{right:.1f}V{low:.1f}H{left:.1f}Z",
        "diamond": f"M{x:.1f} {high - 1:.1f}L{right + 1:.1f} {y:.1f}L{x:.1f} {low + 1:.1f}"
        f"L{left - 1:.1f} {y:.1f}Z",
    }
    return f'<path d="{paths[mark]}"/>'
