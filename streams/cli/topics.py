"""`crossnet topics`: fit, show and use Twitter-LDA topics."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from streams import errors
from streams.cli.options import json_option
from streams.folder import Folder
from topics_svc import ArtifactError, ConfigError, TopicConfig, TopicError, TopicService, fit
from topics_svc.quality import measure
from topics_svc.refit import refit

_AT_ONCE = 1 << 18  # bytes read from a stream; whatever is there is answered before more is awaited
_HELD_OUT_EVERY = 20  # posts


@contextmanager
def _named() -> Iterator[None]:
    """Turn the topic service's errors into those of the console script."""
    try:
        yield
    except ArtifactError as error:
        raise errors.ArtifactError(str(error)) from error
    except ConfigError as error:
        raise errors.SettingsError(str(error)) from error
    except TopicError as error:
        raise errors.DataError(str(error)) from error


@click.group()
def command() -> None:
    """Fit, show and use Twitter-LDA topics.

    Example: crossnet topics fit DATA --out topics && echo "gas prices" | crossnet topics infer topics
    """


@command.command(name="fit")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the artifact.")
@click.option("--topics", default=60, show_default=True, help="Topics K.")
@click.option("--sweeps", default=100, show_default=True, help="Gibbs sweeps at most.")
@click.option("--plateau", default=0.0, show_default=True, help="Stop when ten sweeps raise the likelihood by less than this share.")
@click.option("--alpha", default=0.5, show_default=True, help="Prior of an author's topics.")
@click.option("--beta", default=0.01, show_default=True, help="Prior of a topic's words.")
@click.option("--optimise-every", default=0, show_default=True, help="Re-estimate alpha and beta every so many sweeps; 0 = never.")
@click.option("--min-posts", default=2, show_default=True, help="Leave out words of fewer posts.")
@click.option("--max-share", default=0.5, show_default=True, help="Stop words of a greater share of the posts.")
@click.option("--max-words", default=50_000, show_default=True, help="Vocabulary cap.")
@click.option("--stop-language", "stop_languages", multiple=True, default=("en",), show_default=True, help="Repeatable.")
@click.option("--split-hashtags", is_flag=True, help="Count a CamelCase hashtag as its words, too.")
@click.option("--resume", is_flag=True, help="Go on where a stopped fit of the same posts and options was; keeps OUT.chain meanwhile.")
@click.option("--seed", default=0, show_default=True)
@json_option
def fit_command(data: Path, out: Path, *, resume: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click's options are TopicConfig's fields
    """Fit topics to the posts of DATA (posts.jsonl[.gz]) and print what was found.

    An author is a user on one network. Every twentieth post is held out of the fit, for the perplexity.

    Example: crossnet topics fit ../data/congress --out topics --topics 60
    """
    folder = _with_posts(data)
    with _named():
        config = TopicConfig(**options)
        with _progress(config.sweeps) as progress:
            chain = out.with_name(f"{out.name}.chain") if resume else None
            service = fit(_training(folder), config, progress, resume=chain)
        service.quality = measure(service, _posts(folder))
        service.save(out)
    _print_all(service, as_json=as_json)


def _posts(folder: Folder) -> Iterator[tuple[str, str, bool]]:
    for number, post in enumerate(folder.posts(), start=1):
        yield f"{post.user}\t{post.network}", post.text, number % _HELD_OUT_EVERY == 0


def _training(folder: Folder) -> Iterator[tuple[str, str]]:
    return ((author, text) for author, text, held_out in _posts(folder) if not held_out)


@contextmanager
def _progress(sweeps: int) -> Iterator[Any]:
    """A bar on stderr, as the callback that a fit wants."""
    columns = (TextColumn("topics: sweep"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading posts", total=sweeps)

        def tell(sweep: int, likelihood: float, speed: float) -> None:
            bar.update(task, completed=sweep, description=f"log-likelihood {likelihood:.5g}, {speed / 1e6:.1f} M tokens/s")

        yield tell


@command.command(name="refit")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--from", "old", required=True, type=click.Path(path_type=Path), help="The artifact to start from.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the new artifact.")
@click.option("--sweeps", default=30, show_default=True, help="Gibbs sweeps at most.")
@click.option("--limit", default=0.5, show_default=True, help="Refuse to write topics that moved farther than this on average.")
@json_option
def refit_command(data: Path, old: Path, out: Path, sweeps: int, limit: float, *, as_json: bool) -> None:
    """Fit to the posts of DATA so that topic k stays topic k; prints how far the topics moved.

    Distances are Jensen-Shannon: 0 = the same words, 1 = none in common. The old artifact stays as it is. A model trained on the old
    topics uses the new ones once they stand in its artifact's `topics` folder, up to the setting line.topics_distance.

    Example: crossnet topics refit DATA --from artifacts/congress/topics --out topics-new
    """
    folder = _with_posts(data)
    with _named():
        before = TopicService.load(old)
        config = replace(before.config, sweeps=sweeps)
        with _progress(sweeps) as progress:
            service, drift = refit(before, _training(folder), config, progress)
        click.echo(f"mean distance of matched topics {drift.mean:.3f}; born {list(drift.born)}, died {list(drift.died)}", err=as_json)
        if drift.mean > limit:
            raise errors.ArtifactError(
                f"the topics moved by {drift.mean:.3f}, more than {limit}: a model trained on {old} cannot use them; "
                "raise --limit, or fit anew and train again"
            )
        service.quality = measure(service, _posts(folder))
        service.save(out)
    _print_all(service, as_json=as_json)


def _with_posts(data: Path) -> Folder:
    folder = Folder(data)
    if not folder.has("posts"):
        raise errors.DataError(f"no posts.jsonl[.gz] in {data}; topics are fitted to posts")
    return folder


@command.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--topic", type=int, help="Only this topic, with example posts.")
@json_option
def show(artifact: Path, topic: int | None, as_json: bool) -> None:  # noqa: FBT001 - click's flag
    """Print topics with share, words, coherence and confidence.

    Example: crossnet topics show artifacts/congress/topics --topic 3
    """
    with _named():
        service = TopicService.load(artifact)
        labels = service.labels(topic, 30) if topic is not None else []
    if as_json:
        about = _summary(service) if topic is None else {**_row(service, topic), "words": labels}
        click.echo(json.dumps(about))
    elif topic is None:
        _print_all(service)
    else:
        _print_one(service, topic, labels)


def _row(service: TopicService, k: int) -> dict[str, Any]:
    """A topic's figures; of a model that was never measured only share and words are known."""
    if service.quality:
        return dict(service.quality["topics"][k])
    posts_K = service.estimates.posts_K
    share = float(posts_K[k] / max(posts_K.sum(), 1))
    return {"topic": k, "share": share, "words": service.labels(k), "npmi": None, "confidence": None}


def _summary(service: TopicService) -> dict[str, Any]:
    background = np.argsort(-service.estimates.b_V, kind="stable")[:20]
    return {
        "fingerprint": service.fingerprint, "words": len(service.lexicon), "pi": service.estimates.pi, **service.about,
        "alpha": service.estimates.alpha, "beta": service.estimates.beta,
        "perplexity": service.quality.get("perplexity"), "confidence": service.quality.get("confidence"),
        "background": [service.lexicon.words[v] for v in background], "stopped": list(service.lexicon.stopped),
        "topics": [_row(service, k) for k in range(service.topics)],
    }  # fmt: skip


def _print_all(service: TopicService, *, as_json: bool = False) -> None:
    about = _summary(service)
    if as_json:
        click.echo(json.dumps(about))
        return
    table = Table("topic", "share", "NPMI", "sure", "words", title=f"{service.topics} topics, fingerprint {service.fingerprint}")
    for row in sorted(about["topics"], key=lambda row: -float(row["share"])):
        figures = f"{row['share']:.1%}", _figure(row["npmi"]), _figure(row["confidence"])
        table.add_row(str(row["topic"]), *figures, " ".join(row["words"]))
    console = Console(width=None if sys.stdout.isatty() else 150, markup=False, highlight=False)
    console.print(table)
    console.print(f"background: {' '.join(about['background'])}")
    if about["stopped"]:
        console.print(f"learned stop words: {' '.join(about['stopped'])}")
    console.print(
        f"{about['posts']:,} posts, {about['tokens']:,} tokens, {about['words']:,} words, P(topic word) {about['pi']:.2f}, "
        f"held-out perplexity {_figure(about['perplexity'], 1)}, confidence {_figure(about['confidence'])}"
    )


def _print_one(service: TopicService, k: int, labels: list[str]) -> None:
    row = _row(service, k)
    click.echo(f"topic {k}: share {row['share']:.1%}, NPMI {_figure(row['npmi'])}, confidence {_figure(row['confidence'])}")
    click.echo(" ".join(labels))
    for text in row.get("examples", []):
        click.echo("  - " + " ".join(text.split()).encode("utf-8", "replace").decode())


def _figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


@command.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--least", default=0.05, show_default=True, help="Leave out topics of a smaller share.")
@click.option("--running/--no-running", default=True, show_default=True, help="Count each author's topics as his prior.")
def infer(artifact: Path, file: Path | None, least: float, running: bool) -> None:  # noqa: FBT001 - click's flag
    """Read texts (a line each) or JSON lines with a "text"; write JSON lines with "topics".

    These are [[k, share], ...], the largest first, or null where no word is known. Every
    other field of a JSON line is repeated. Reads stdin without FILE, and answers as lines come.

    Example: echo "gas prices" | crossnet topics infer artifacts/congress/topics
    """
    with _named():
        answers = _Answers(TopicService.load(artifact), least, running=running)
        for lines in _blocks(file):
            sys.stdout.buffer.write(b"".join(answers.to(line) for line in lines))
            sys.stdout.buffer.flush()


def _blocks(file: Path | None) -> Iterator[list[bytes]]:
    """Whole lines as they come; the last one may lack its end."""
    try:
        descriptor = sys.stdin.fileno() if file is None else os.open(file, os.O_RDONLY)
    except OSError as error:
        raise errors.DataError(f"{file} cannot be read: {error}") from error
    rest: list[bytes] = []
    while block := os.read(descriptor, _AT_ONCE):
        head, end, tail = block.rpartition(b"\n")
        if end:
            yield b"".join([*rest, head]).split(b"\n")
            rest = []
        rest.append(tail)
    if last := b"".join(rest):
        yield [last]
    if file is not None:
        os.close(descriptor)


class _Answers:
    """Line in, line out."""

    def __init__(self, service: TopicService, least: float, *, running: bool) -> None:
        self._service, self._least, self._running = service, least, running
        self._counts: dict[tuple[object, object], NDArray[np.float32]] = {}
        self._number = 0

    def to(self, line: bytes) -> bytes:
        self._number += 1
        fields = self._fields(line.strip())
        text = fields.pop("text")
        counts_K = self._of(fields)
        theta_K = self._service.infer(text, counts_K)
        if theta_K is not None and counts_K is not None:
            counts_K += theta_K
        answer = {**fields, "topics": None if theta_K is None else self._sparse(theta_K)}
        return json.dumps(answer, separators=(",", ":")).encode() + b"\n"

    def _fields(self, line: bytes) -> dict[str, Any]:
        if not line.startswith(b"{"):
            return {"text": line.decode("utf-8", "replace")}
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise errors.DataError(f"line {self._number} starts like JSON but is none ({error}); mend it") from error
        if not isinstance(fields.get("text"), str):
            raise errors.DataError(f"line {self._number} has no string field 'text'; give one in every JSON line")
        return dict(fields)

    def _of(self, fields: dict[str, Any]) -> NDArray[np.float32] | None:
        if not self._running or not isinstance(fields.get("user"), str):
            return None
        author = (fields["user"], str(fields.get("network")))
        return self._counts.setdefault(author, np.zeros(self._service.topics, np.float32))

    def _sparse(self, theta_K: NDArray[np.float32]) -> list[list[float]]:
        best = np.flatnonzero(theta_K >= self._least)
        ranked = best[np.argsort(-theta_K[best], kind="stable")]
        return [[int(k), round(float(theta_K[k]), 4)] for k in ranked]
