"""`crossnet train`: fit topics and model on a data folder."""

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from model import EpochReport, ModelConfig, ModelError
from streams import train
from streams.cli.options import a_device, for_artifacts, json_option, say
from streams.errors import SettingsError
from streams.folder import Folder, Part
from topics_svc import TopicConfig, TopicError


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the artifact.")
@click.option("--topics", default=60, show_default=True, help="Topics K.")
@click.option("--sweeps", default=100, show_default=True, help="Gibbs sweeps.")
@click.option("--factors", default=64, show_default=True, help="Embedding size k.")
@click.option("--hidden", default=128, show_default=True, help="LSTM size h.")
@click.option("--epochs", default=60, type=click.IntRange(1), show_default=True, help="Epochs at most.")
@click.option("--patience", default=15, type=click.IntRange(1), show_default=True, help="Epochs without a better one before stopping.")
@click.option("--rate", default=0.003, show_default=True, help="Adam's rate, offline.")
@click.option("--online-rate", default=0.001, show_default=True, help="Adam's rate, online.")
@click.option("--preset", default="full", show_default=True, type=click.Choice(["paper", "full"]), help="Which model.")
@click.option("--logits", type=click.Choice(["tanh", "identity"]), help="eq. 8's output; default: tanh in paper, identity in full.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--precision", default="auto", show_default=True, type=click.Choice(["auto", "float32", "bfloat16"]),
    help="Of the products with the weights; auto: bfloat16 where the processor has instructions of its own for it.",
)
@click.option("--resume", is_flag=True, help="Go on where a stopped training was; keeps OUT.fit meanwhile.")
@click.option("--device", default="cpu", callback=a_device, show_default=True, help="cpu or cuda, for the offline fit.")
@json_option
def command(
    data: Path, out: Path, topics: int, sweeps: int, factors: int, hidden: int, epochs: int, patience: int, rate: float,
    online_rate: float, preset: str, logits: str | None, seed: int, device: str, precision: str, resume: bool,  # noqa: FBT001 - click gives it by name
    *, as_json: bool,
) -> None:  # fmt: skip
    """Fit topics and model on DATA and write the artifact that the worker starts from.

    Example: crossnet train ../data/congress --out artifacts/congress
    """
    console = Console(stderr=True)
    try:
        plan = train.Plan(
            TopicConfig(topics=topics, sweeps=sweeps, seed=seed),
            ModelConfig(
                networks=("none",), topics=0, factors=factors, hidden=hidden, preset=preset, online_rate=online_rate,
                logits=logits or ("identity" if preset == "full" else "tanh"),
            ),
            epochs, patience, rate, seed, device, precision, out.with_name(f"{out.name}.fit") if resume else None,
        )  # fmt: skip
    except (ModelError, TopicError) as error:
        raise SettingsError(str(error)) from error

    def sweep(number: int, likelihood: float, tokens_per_second: float) -> None:
        if number % 10 == 0:
            console.print(f"topics: sweep {number}, log-likelihood {likelihood:.4g}, {tokens_per_second / 1e6:.1f} M tokens/s")

    def epoch(report: EpochReport) -> None:
        validation = ""
        if report.validation_loss is not None:
            validation = f"validation loss {report.validation_loss:.4f}, HR@10 {report.validation_hr:.4f}, "
        console.print(
            f"model: epoch {report.epoch}, loss {report.loss:.4f}, {validation}{report.events_per_second:,.0f} events/s, "
            f"{report.seconds_left:.0f} s left"
        )

    def pass_over(parts: Iterator[Part], total: int) -> Iterator[Part]:
        return iter(track(parts, "line: records", total=total, console=console))

    summary = train.train(Folder(data), out, for_artifacts(None), plan, train.Watch(sweep, epoch, pass_over))
    say({"artifact": str(out), **summary}, as_json=as_json)
