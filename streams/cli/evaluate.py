"""`crossnet evaluate`: every system on a data folder, by the paper's protocol."""

import time
from pathlib import Path

import click
from rich.console import Console

from streams.cli.options import a_device, for_artifacts, json_option, say
from streams.errors import DataError, SettingsError


def _cuts(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
    del context, parameter
    try:
        cuts = tuple(sorted({int(one) for one in value.split(",")}))
    except ValueError as error:
        raise click.BadParameter(f"{value!r}; give whole numbers with commas, as in 10,100") from error
    if cuts[0] < 1:
        raise click.BadParameter(f"{value!r}; a list has at least 1 item")
    return cuts


def _least(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    del context, parameter
    pairs = [one.partition("=") for one in value]
    if any(not count.isdigit() for _, _, count in pairs):
        raise click.BadParameter(f"{', '.join(value)}; give NETWORK=NUMBER, as in twitter=10")
    return tuple((network, int(count)) for network, _, count in pairs)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the results.")
@click.option("--models", "names", help="Names with commas; default: all.")
@click.option("--model", "classes", multiple=True, metavar="PACKAGE.MODULE:CLASS", help="A class of your own beside them; repeatable.")
@click.option("--preset", default="", help="The proposed model's preset that the others are compared with.")
@click.option("--seeds", default=1, type=click.IntRange(1), show_default=True, help="Runs of every system.")
@click.option("--k", "cuts", default="10,100", callback=_cuts, show_default=True, help="Lengths of the list.")
@click.option("--ties", default="strict", type=click.Choice(["strict", "order"]), show_default=True, help="See above.")
@click.option("--wave", default=64, type=click.IntRange(1), show_default=True, help="Interactions ranked together, at most.")
@click.option("--split", default="user", type=click.Choice(["user", "time"]), show_default=True, help="See above.")
@click.option("--keep-owned", is_flag=True, help="Rank items that the user already took, too: the paper's own protocol.")
@click.option("--min-interactions", default=0, type=click.IntRange(0), help="Leave out users with fewer (paper: 10).")
@click.option("--min-posts", multiple=True, callback=_least, metavar="NETWORK=N", help="Leave out users with fewer.")
@click.option("--min-takers", default=0, type=click.IntRange(0), help="Leave out items with fewer interactions (paper: 10).")
@click.option("--topics", default=60, type=click.IntRange(1), show_default=True, help="Topics K.")
@click.option("--factors", default=64, type=click.IntRange(1), show_default=True, help="Embedding size k.")
@click.option("--hidden", default=128, type=click.IntRange(1), show_default=True, help="LSTM size h.")
@click.option("--epochs", default=60, type=click.IntRange(1), show_default=True, help="Epochs at most.")
@click.option("--patience", default=15, type=click.IntRange(1), show_default=True, help="Epochs without a better one before stopping.")
@click.option("--device", default="cpu", callback=a_device, show_default=True, help="cpu or cuda, for the offline fits.")
@click.option("--sweeps/--no-sweeps", default=True, show_default=True, help="Vary k, the online rate, the posts and the parts, too.")
@click.option("--jobs", default=2, type=click.IntRange(1), show_default=True, help="Processes side by side.")
@click.option("--resume", is_flag=True, help="Keep the runs that are in OUT already and were made the same way.")
@json_option
def command(
    data: Path, out: Path, names: str | None, classes: tuple[str, ...], preset: str, seeds: int, cuts: tuple[int, ...], ties: str,
    wave: int, split: str, keep_owned: bool, min_interactions: int, min_posts: tuple[tuple[str, int], ...], min_takers: int,  # noqa: FBT001
    topics: int, factors: int, hidden: int, epochs: int, patience: int, device: str, sweeps: bool, jobs: int, resume: bool,  # noqa: FBT001
    *, as_json: bool,
) -> None:  # fmt: skip
    """Run every system on DATA; write metrics.json, users.csv.gz and report.html to OUT.

    Strict ties rank everything of one time before any of it is learned; --ties order takes the interactions as the file has them.
    --split user cuts each user's interactions apart (70, 10, 20 %), --split time cuts everybody at one moment.

    Example: crossnet evaluate ../data/congress-mini --out results/mini
    """
    from streams.evaluate import systems
    from streams.evaluate.comparison import Comparison
    from streams.evaluate.inputs import Filters, Inputs
    from streams.evaluate.plan import Plan
    from streams.evaluate.protocol import Protocol
    from streams.evaluate.runs import Job, Run
    from streams.evaluate.scores import means

    chosen = (*(names.split(",") if names else systems.names()), *classes)
    for name in chosen:
        systems.known(name)
    reference = preset or systems.reference(chosen)
    if reference not in systems.PROPOSED:
        raise SettingsError(f"no preset {reference!r}; choose of {', '.join(systems.PROPOSED)}")
    console, started = Console(stderr=True), time.monotonic()
    plan = Plan(
        names=tuple(dict.fromkeys(chosen)), seeds=seeds, cuts=cuts,
        inputs=Inputs(split == "time", Filters(min_interactions, min_posts, min_takers), topics),
        size=systems.Size(hidden, factors, epochs, patience, device),
        protocol=Protocol(ties, wave, keep_owned, max(100, *cuts)), sweeps=sweeps, reference=reference,
    )  # fmt: skip
    try:
        comparison = Comparison.of(data, out, plan, for_artifacts(None))
    except OSError as error:
        raise DataError(f"cannot write to {out}: {error}") from error
    console.print(f"{len(comparison.cases.events):,} interactions of {len(comparison.cases.users):,} users are ready")
    at_start = None

    def tell(job: Job, run: Run, left: int) -> None:
        nonlocal at_start
        at_start = at_start if at_start is not None else left + 1
        shown = means(run, comparison.cases, cuts)
        figures = ", ".join(f"{name} {value:.4f}" for name, value in shown.items()) if job.inputs == plan.inputs else "done"
        minutes = (time.monotonic() - started) / 60
        console.print(
            f"{minutes:5.1f} min  {job.name} seed {job.seed}: {figures}, {run.events_per_second:,.0f} events/s; "
            f"{left} left, about {minutes / max(1, at_start - left) * left:.0f} min", highlight=False,
        )  # fmt: skip

    comparison.run(jobs, resume, tell)
    best = max(comparison.done.values(), key=lambda run: means(run, comparison.cases, cuts)[plan.metric])
    seconds = round(time.monotonic() - started, 1)
    say({"out": str(out), "runs": len(comparison.done), "best": best.job_name, "seconds": seconds}, as_json=as_json)
