"""Small charts as static SVG, for a report that needs no network and no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 34
INNER_W, INNER_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
COLOURS = ("#2f5fd0", "#c8553d", "#2a9d8f", "#8e6bd1")
DASHES = ("", "6 4", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class Point:
    x: int  # place on the axis
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Part:
    """One kind of a stacked bar; `hatch` tells it apart without its colour."""

    name: str
    colour: str
    values: Sequence[float]  # one a bar
    hatch: bool = False


def line_chart(title: str, labels: Sequence[str], lines: Sequence[Line], unit: str = "%") -> str:
    """`labels` name the places of the x axis."""
    ends = [max(p.y, p.high or p.y) for line in lines for p in line.points]
    top = _top(max(ends, default=1.0))
    body = []
    for place, line in enumerate(lines):
        colour = COLOURS[place % len(COLOURS)]
        dash = f' stroke-dasharray="{DASHES[place % len(DASHES)]}"' if place else ""
        at = [(_x(p.x, len(labels)), p) for p in line.points]
        body.append(_band(at, colour, top))
        path = " ".join(f"{x:.1f},{_y(p.y, top):.1f}" for x, p in at)
        body.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        body += [
            f'<circle cx="{x:.1f}" cy="{_y(p.y, top):.1f}" r="3.5" fill="{colour}"><title>'
            f"{escape(line.name)}, {escape(labels[p.x])}: {p.y:.1f}{unit}</title></circle>"
            for x, p in at
        ]
    looks = [(line.name, COLOURS[place % len(COLOURS)]) for place, line in enumerate(lines)]
    return _svg(title, labels, "".join(body), looks, top, unit)


def stacked_bars(title: str, labels: Sequence[str], parts: Sequence[Part], unit: str = "%") -> str:
    totals = [sum(part.values[i] for part in parts) for i in range(len(labels))]
    top = 100.0 if unit == "%" else _top(max(totals, default=1.0))
    width = min(54.0, 0.6 * INNER_W / max(1, len(labels)))
    body = []
    for i, label in enumerate(labels):
        base = 0.0
        for part in parts:
            value = part.values[i]
            if value <= 0:
                continue
            y, height = _y(base + value, top), INNER_H * value / top
            place = (
                f'x="{_x(i, len(labels)) - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{height:.2f}"'
            )
            body.append(
                f'<rect {place} fill="{part.colour}"><title>{escape(part.name)}, '
                f"{escape(label)}: {value:.1f}{unit}</title></rect>"
            )
            if part.hatch:
                body.append(f'<rect {place} fill="url(#hatch)" pointer-events="none"/>')
            base += value
    return _svg(title, labels, "".join(body), [(p.name, p.colour) for p in parts], top, unit)


def _band(at: Sequence[tuple[float, Point]], colour: str, top: float) -> str:
    known = [(x, p.low, p.high) for x, p in at if p.low is not None and p.high is not None]
    if len(known) == 1:
        x, low, high = known[0]
        return (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_y(low, top):.1f}" y2="{_y(high, top):.1f}" '
            f'stroke="{colour}" stroke-width="1.5"/>'
        )
    upper = [f"{x:.1f},{_y(high, top):.1f}" for x, _, high in known]
    lower = [f"{x:.1f},{_y(low, top):.1f}" for x, low, _ in reversed(known)]
    return f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" opacity="0.14"/>'


def _svg(
    title: str,
    labels: Sequence[str],
    body: str,
    looks: Sequence[tuple[str, str]],
    top: float,
    unit: str,
) -> str:
    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(v, top):.1f}" y2="{_y(v, top):.1f}" '
        f'stroke="#d9dde4"/><text x="{LEFT - 6}" y="{_y(v, top) + 4:.1f}" text-anchor="end">'
        f"{v:g}{unit}</text>"
        for v in (top * i / 4 for i in range(5))
    )
    every = -(-len(labels) // 12)
    axis = "".join(
        f'<text x="{_x(i, len(labels)):.1f}" y="{HEIGHT - 12}" text-anchor="middle">'
        f"{escape(label)}</text>"
        for i, label in enumerate(labels)
        if i % every == 0
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" '
        'xmlns="http://www.w3.org/2000/svg" font-size="11.5" fill="#3b4250">'
        '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><line y2="5" stroke="#fff" stroke-opacity=".55" '
        f'stroke-width="2"/></pattern></defs>{_legend(looks)}{grid}{body}{axis}</svg>'
    )


def _legend(looks: Sequence[tuple[str, str]]) -> str:
    """In one row above the chart; a name takes some six pixels a letter."""
    x, items = float(LEFT), []
    for name, colour in looks:
        items.append(
            f'<rect x="{x:.0f}" y="10" width="10" height="10" fill="{colour}"/>'
            f'<text x="{x + 14:.0f}" y="19">{escape(name)}</text>'
        )
        x += 26 + 6.0 * len(name)
    return "".join(items)


def _x(place: int, number: int) -> float:
    return LEFT + INNER_W * (place + 0.5) / max(1, number)


def _y(value: float, top: float) -> float:
    return TOP + INNER_H * (1 - value / top)


def _top(highest: float) -> float:
    """A round number above, so that four lines of a grid have round names."""
    for step in (0.4, 1, 2, 4, 8, 10, 20, 40, 60, 80, 100, 200, 400, 1000, 2000, 4000, 10_000):
        if highest <= step:
            return float(step)
    return highest


def shares(rows: Sequence[Mapping[str, int]], kind: str) -> list[float]:
    """Of `kind` in every row, in percent."""
    return [100 * row.get(kind, 0) / (sum(row.values()) or 1) for row in rows]
