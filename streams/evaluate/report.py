"""The report: one HTML file with nothing outside it; results, figures with their numbers, and what differs from the paper."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from streams.evaluate.charts import Chart, section
from streams.evaluate.deviations import DEVIATIONS

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #8884}
th:first-child,td:first-child,.words td,.words th{text-align:left}
tr.best td,tr.best th{font-weight:700}
.n{opacity:.7}.scroll{overflow-x:auto}figure{margin:0}svg{max-width:100%;height:auto}
.page{break-before:page;border-top:2px solid #8888;margin-top:3rem}
"""
_UNSHOWN = {"seeds", "std", "settings", "tried", "against"}


def page(metrics: Mapping[str, Any], charts: Sequence[Chart], note: str) -> str:
    """The whole report; `metrics` is what metrics.json holds, `note` says what is still missing."""
    data, protocol = metrics["data"], metrics["protocol"]
    title = f"Evaluation on {data['name']}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><body><h1>{html.escape(title)}</h1>"
        f"<nav><a href=#results>Results</a> · <a href=#figures>Figures</a> · <a href=#deviations>Deviations from the paper</a></nav>"
        f"{f'<p><strong>{html.escape(note)}</strong></p>' if note else ''}"
        f"<h2>Data and protocol</h2>{_facts({**data, **protocol})}"
        f"<h2 id=results>Results</h2>{_results(metrics)}<h2 id=figures>Figures</h2>{''.join(map(section, charts))}"
        f"<div class=page><h2 id=deviations>Deviations from the paper</h2>{_deviations()}</div></body></html>"
    )


def _facts(values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(_said(value))}</td></tr>" for name, value in values.items())
    return f"<div class=scroll><table class=words>{rows}</table></div>"


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_said(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _results(metrics: Mapping[str, Any]) -> str:
    models: Mapping[str, Any] = metrics["models"]
    shown = list(dict.fromkeys(name for one in models.values() for name in one if name not in _UNSHOWN))
    metric = metrics["protocol"]["compared_by"]
    best = max(models, key=lambda name: models[name][metric], default=None)
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in (*shown, f"{metric} against", "95 %", "p"))
    rows = "".join(
        f"<tr{' class=best' if model == best else ''}><th>{html.escape(model)}</th>"
        + "".join(f"<td>{_number(one.get(name))}{_spread(one, name)}</td>" for name in shown) + _against(one.get("against")) + "</tr>"
        for model, one in models.items()
    )  # fmt: skip
    return (
        "<p>Means over users of each user's mean over his test interactions, of several seeds their mean \u00b1 standard deviation; "
        "the best in bold. Differences are paired over users, "
        "with a bootstrap interval and a t-test corrected for the number of comparisons (Holm).</p>"
        f"<div class=scroll><table><tr><th>model</th>{head}</tr>{rows}</table></div>"
    )


def _against(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "<td colspan=3>-</td>"
    return (
        f"<td>{one['difference']:+.4f} ({html.escape(one['name'])})</td><td>{one['low']:+.4f} .. {one['high']:+.4f}</td>"
        f"<td>{one['p']:.2g}</td>"
    )


def _spread(one: Mapping[str, Any], metric: str) -> str:
    value = one.get("std", {}).get(metric)
    return "" if value is None else f" <span class=n>\u00b1 {_number(value)}</span>"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4f}" if value < 10 else f"{value:.1f}"


def _deviations() -> str:
    rows = "".join(f"<tr><th>{a}</th><td>{html.escape(b)}</td><td>{html.escape(c)}</td></tr>" for a, b, c in DEVIATIONS)
    return f"<table class=words><tr><th>what</th><th>here</th><th>why</th></tr>{rows}</table>"
