"""Charts as inline SVG, readable in light and dark, with their numbers in a table beside them."""

import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure

_PLAIN = "#808080"  # readable on white and on black
_COLOURS = ("#1f77b4", "#e07b00", "#2a9d3a", "#d03a3a", "#8a63c8", "#96635a", "#d45fae", "#6f7a83", "#a3a315", "#0fa3b8")
_DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over a common axis: a title, a sentence that says what it shows, and the values."""

    title: str
    says: str
    x_label: str
    y_label: str
    x: Sequence[float | str]
    "numbers, or names of groups"
    lines: Mapping[str, Sequence[float | None]]
    "a value for each x; None = no data"
    counts: Sequence[int] | None = None
    "events or users behind each x"
    log_x: bool = False


def svg(chart: Chart) -> str:
    """The chart as an SVG element; text stays text, so that it can be searched and takes the page's fonts."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.title, "font.size": 9, "text.color": _PLAIN}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        places = list(range(len(chart.x))) if any(isinstance(one, str) for one in chart.x) else [float(one) for one in chart.x]
        for number, (name, values) in enumerate(chart.lines.items()):
            known = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
            axes.plot(
                [place for place, _ in known], [value for _, value in known], label=name, color=_COLOURS[number % len(_COLOURS)],
                linestyle=_DASHES[number // len(_COLOURS) % len(_DASHES)], linewidth=1.4, marker="." if len(known) < 30 else "",
            )  # fmt: skip
        if any(isinstance(one, str) for one in chart.x):
            axes.set_xticks(places, [str(one) for one in chart.x])
        if chart.log_x:
            axes.set_xscale("symlog", linthresh=min((one for one in places if one > 0), default=1.0))
        axes.set_xlabel(chart.x_label, color=_PLAIN)
        axes.set_ylabel(chart.y_label, color=_PLAIN)
        axes.tick_params(colors=_PLAIN)
        axes.grid(alpha=0.25, color=_PLAIN)
        for spine in axes.spines.values():
            spine.set_color(_PLAIN)
        axes.legend(frameon=False, fontsize=7, ncols=2 if len(chart.lines) > 8 else 1, labelcolor=_PLAIN)
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def section(chart: Chart) -> str:
    """The chart with its sentence and its table, as HTML."""
    head = "".join(f"<th>{html.escape(_shown(one))}</th>" for one in chart.x)
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{_shown(value)}</td>' for value in values)}</tr>"
        for name, values in chart.lines.items()
    )
    if chart.counts is not None:
        rows += f"<tr class=n><th>n</th>{''.join(f'<td>{one:,}</td>' for one in chart.counts)}</tr>"
    return (
        f"<section><h3>{html.escape(chart.title)}</h3><p>{html.escape(chart.says)}</p><figure>{svg(chart)}</figure>"
        f"<div class=scroll><table><tr><th>{html.escape(chart.x_label)}</th>{head}</tr>{rows}</table></div></section>"
    )


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,}" if float(value).is_integer() and abs(value) >= 1 else f"{value:.4g}"
