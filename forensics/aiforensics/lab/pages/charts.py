"""Plots as inline SVG: no script, no style of their own, colours of the page, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_INKS = (
    ("var(--ink)", ""),
    ("var(--real-fill)", ""),
    ("var(--ai-fill)", ""),
    ("var(--none-fill)", "6 3"),
    ("var(--real)", "2 3"),
)
"""Stroke and dashes of each series, apart for every kind of colour vision."""
_WIDTH, _HEIGHT = 380, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 42


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: what it shows, its range, and its ticks (at most six round numbers where none are given)."""

    label: str
    low: float = 0.0
    high: float = 1.0
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a plot; `low` and `high` draw a band around it, `marks` a dot at each point."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    marks: bool = False


def line_chart(title: str, x: Axis, y: Axis, series: Sequence[Series], *, diagonal: bool = False) -> Markup:
    """Draw lines over two axes, with a legend where there is more than one.

    Parameters
    ----------
    title
        Of the figure, for the eye and for a screen reader.
    x, y
        The axes.
    series
        At most five; points without a value, or of a line and beyond the upward axis, are left out.
    diagonal
        Whether to draw the line from corner to corner (chance, perfect calibration).

    Returns
    -------
    A `figure` element.
    """
    parts = [*_grid(x, y)]
    if diagonal:
        way = f"M{_across(x, x.low)} {_up(y, y.low)}L{_across(x, x.high)} {_up(y, y.high)}"
        parts.append(f'<path d="{way}" fill="none" stroke="var(--line)" stroke-width="1.5"/>')
    for one, ink in zip(series, _INKS, strict=False):
        parts += _band(one, x, y, ink[0])
    for one, ink in zip(series, _INKS, strict=False):
        parts += _line(one, x, y, *ink)
    words = escape(f"{title}. Across: {x.label}. Up: {y.label}.")
    drawing = (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" aria-label="{words}" '
        f'font-size="11" fill="var(--soft)">{"".join(parts)}</svg>'
    )
    legend = "".join(
        f'<li><svg class="mark" width="22" height="10" viewBox="0 0 22 10" aria-hidden="true">'
        f'<line x1="0" x2="22" y1="5" y2="5" stroke="{stroke}" stroke-width="3" stroke-dasharray="{dash}"/></svg> '
        f"{escape(one.name)}</li>"
        for one, (stroke, dash) in zip(series, _INKS, strict=False)
    )
    below = f'<ul class="legend">{legend}</ul>' if len(series) > 1 else ""
    return Markup(f"<figure>{drawing}<figcaption>{escape(title)}</figcaption>{below}</figure>")  # noqa: S704 - escaped


def interval_bar(value: float | None, interval: Sequence[float | None], kind: str, *, base: float = 0.0) -> Markup:
    """Draw a share from `base` to 1 as a bar with its interval as a whisker; the number stands beside it as text.

    Parameters
    ----------
    value, interval
        In [0, 1], and its low and high; what is None is not drawn.
    kind
        `ai`, `real` or `inconclusive`: the colour.
    base
        Where the bar begins, such as 0.5 for an AUC.
    """

    def at(share: float) -> float:
        return round(2 + 136 * min(max(share, 0.0), 1.0), 1)

    parts = ['<path class="track" d="M2 7H138"/>']
    if value is not None:
        left, right = sorted((at(base), at(value)))
        parts.append(
            f'<rect class="fill-{escape(kind)}" x="{left}" y="3" width="{max(right - left, 0.8):.1f}" height="8"/>'
        )
    low, high = interval
    if low is not None and high is not None:
        parts.append(f'<path class="whisker" d="M{at(low)} 7H{at(high)}"/>')
    return Markup(  # noqa: S704 - numbers and one escaped word
        f'<svg class="mini" width="140" height="14" aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
    )


def _across(axis: Axis, value: float) -> float:
    share = (value - axis.low) / ((axis.high - axis.low) or 1.0)
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _up(axis: Axis, value: float) -> float:
    share = (value - axis.low) / ((axis.high - axis.low) or 1.0)
    return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for value in _ticks(y):
        at = _up(y, value)
        parts.append(f'<line x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}" stroke="var(--faint)"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4}" text-anchor="end">{value:g}</text>')
    for value in _ticks(x):
        at = _across(x, value)
        parts.append(f'<line x1="{at}" x2="{at}" y1="{bottom}" y2="{bottom + 4}" stroke="var(--soft)"/>')
        parts.append(f'<text x="{at}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="var(--soft)"/>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle" fill="var(--ink)">{escape(x.label)}</text>'
    )
    up = (_TOP + bottom) / 2
    turned = f'x="12" y="{up}" text-anchor="middle" fill="var(--ink)" transform="rotate(-90 12 {up})"'
    parts.append(f"<text {turned}>{escape(y.label)}</text>")
    return parts


def _ticks(axis: Axis) -> tuple[float, ...]:
    if axis.ticks or axis.high <= axis.low:
        return axis.ticks or (axis.low,)
    least = (axis.high - axis.low) / 5
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return tuple(round(index * step, 9) for index in range(first, last + 1))


def _points(one: Series, values: Sequence[float | None], x: Axis, y: Axis) -> list[tuple[float, float]]:
    return [
        (_across(x, at), _up(y, min(max(value, y.low), y.high)))
        for at, value in zip(one.x, values, strict=True)
        if value is not None and math.isfinite(value)
    ]


def _on(axis: Axis, value: float) -> bool:
    slack = 1e-9 * (axis.high - axis.low)
    return axis.low - slack <= value <= axis.high + slack


def _line(one: Series, x: Axis, y: Axis, stroke: str, dash: str) -> list[str]:
    points = _points(one, [value if value is not None and _on(y, value) else None for value in one.y], x, y)
    if not points:
        return []
    way = " ".join(f"{a},{b}" for a, b in points)
    parts = [
        f'<polyline points="{way}" fill="none" stroke="{stroke}" stroke-width="2" stroke-dasharray="{dash}" '
        'stroke-linejoin="round"/>'
    ]
    if one.marks:
        parts += [f'<circle cx="{a}" cy="{b}" r="3" fill="{stroke}"/>' for a, b in points]
    return parts


def _band(one: Series, x: Axis, y: Axis, fill: str) -> list[str]:
    """The band between `low` and `high`, with a gap where there is none, and a stroke where it stands alone."""
    runs: list[list[tuple[float, float, float]]] = [[]]
    for at, low, high in zip(one.x, one.low, one.high, strict=False):
        if low is None or high is None:
            runs.append([])
        else:
            runs[-1].append((at, low, high))
    parts = []
    for run in filter(None, runs):
        levels = [at for at, _, _ in run]
        edges = (Series("", levels, [edge[side] for edge in run]) for side in (1, 2))
        down, up = (_points(edge, edge.y, x, y) for edge in edges)
        points = " ".join(f"{a},{b}" for a, b in [*down, *reversed(up)])
        alone = f' stroke="{fill}" stroke-opacity="0.4" stroke-width="2"' if len(run) == 1 else ""
        parts.append(f'<polygon points="{points}" fill="{fill}" fill-opacity="0.13"{alone}/>')
    return parts
