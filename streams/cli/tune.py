"""`crossnet tune`: a search for hyper-parameters on the validation part."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from streams.cli.options import for_artifacts, json_option, say

if TYPE_CHECKING:
    import optuna


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the trials; an earlier search there goes on.")
@click.option("--trials", default=30, type=click.IntRange(1), show_default=True, help="In all, earlier ones counted.")
@click.option("--epochs", default=30, type=click.IntRange(1), show_default=True, help="Epochs of a trial at most.")
@click.option("--patience", default=5, type=click.IntRange(1), show_default=True, help="Epochs without a better one before stopping.")
@click.option("--seed", default=0, show_default=True)
@json_option
def command(data: Path, out: Path, trials: int, epochs: int, patience: int, seed: int, *, as_json: bool) -> None:
    """Search topics, factors, hidden, dropout, both rates and tau of the model for DATA; the test part is never looked at.

    Example: crossnet tune ../data/congress-mini --out tuned --trials 20
    """
    import optuna

    from streams.evaluate.inputs import Inputs
    from streams.evaluate.search import Effort, Search, Space

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    console = Console(stderr=True)
    search = Search(data, out, Inputs(seed=seed), Effort(epochs, patience), for_artifacts(None))

    def tell(trial: "optuna.trial.FrozenTrial") -> None:
        chosen = ", ".join(f"{name} {value:.3g}" for name, value in trial.params.items())
        console.print(
            f"trial {trial.number + 1}: validation NDCG@100 {trial.value:.4f} ({chosen}); best {search.study.best_value:.4f}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip

    search.run(trials, Space(), tell)
    say({"validation_ndcg@100": search.study.best_value, **search.study.best_params}, as_json=as_json)
