"""`crossnet demo`: the whole line on a synthetic world, with the programs an operator would use, one after the other."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from aiokafka import TopicPartition
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streams import connection, kafka_topics, synth
from streams.broker import DEFAULT_PORT, HOST, Broker, free_port, is_free
from streams.cli.options import for_artifacts, json_option
from streams.folder import Folder
from streams.kafka_jars import ROOT
from streams.pidfile import PidFile, within
from streams.scrape import Metrics
from streams.settings import Settings

_DIR = ROOT / ".crossnet" / "demo"
_CROSSNET = str(Path(sys.executable).with_name("crossnet"))
# Small enough for two cores and a minute, large enough to beat popularity.
_TRAIN = ("--topics", "20", "--sweeps", "60", "--factors", "32", "--hidden", "64", "--epochs", "15", "--patience", "4")
_RECORDS_A_SECOND = 80
_READY_SECONDS = 90.0
_DRAIN_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 5.0
_RANKINGS = {"scored": "scored", "published": "list he had", "popularity": "popularity"}


class Place:
    """Where a demo lives, and the worker and server it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.worker = PidFile(folder / "worker.pid")
        self.serve = PidFile(folder / "serve.pid")

    @property
    def world(self) -> Path:
        """The synthetic data folder."""
        return self.folder / "world"

    @property
    def artifact(self) -> Path:
        """What `train` wrote."""
        return self.folder / "artifact"

    @property
    def worker_log(self) -> Path:
        """What the worker said."""
        return self.folder / "worker.log"

    @property
    def serve_log(self) -> Path:
        """What the server said."""
        return self.folder / "serve.log"

    def broker(self, port: int = DEFAULT_PORT) -> Broker:
        """The demo's own broker."""
        return Broker(self.folder / "kafka", port)

    def stop(self) -> bool:
        """Stop what runs here; False when nothing did."""
        stopped = [self.serve.stop(_STOP_SECONDS), self.worker.stop(_STOP_SECONDS), self.broker().down()]
        return any(stopped)


@click.command()
@click.option("--keep", is_flag=True, help="Leave broker and worker running afterwards.")
@click.option("--stop", is_flag=True, help="Stop what an earlier --keep left running, and nothing else.")
@click.option("--seed", default=synth.World().seed, show_default=True, help="Which synthetic world.")
@click.option("--rate", default=_RECORDS_A_SECOND, show_default=True, help="Records a second of the live part.")
@json_option
def command(*, keep: bool, stop: bool, seed: int, rate: int, as_json: bool) -> None:
    """Run the whole line on a synthetic world: broker, data, training, worker, live replay, lists.

    Example: crossnet demo --keep
    """
    place = Place(_DIR)
    stopped = place.stop()
    if stop:
        click.echo(json.dumps({"stopped": stopped}) if as_json else "stopped" if stopped else "nothing ran")
        return
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as cleanup:
        cleanup.callback(place.stop)
        found = _run(place, Console(stderr=as_json), synth.World(seed=seed), rate)
        if as_json:
            click.echo(json.dumps(found))
        if keep:
            cleanup.pop_all()
            click.echo("It keeps running; `deploy/run demo --stop` stops it.", err=as_json)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(place: Place, console: Console, world: synth.World, rate: int) -> dict[str, Any]:
    """Gives the accuracy and the addresses."""
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(parents=True)
    with _step(console, "a broker"):
        port = DEFAULT_PORT if is_free(DEFAULT_PORT) else free_port()
        bootstrap = place.broker(port).up(fresh=True)
    with _step(console, "a synthetic world"):
        written = synth.write(world, place.world)
        console.print(f"  {world.users} people, {written.posts:,} posts, {written.events:,} interactions, {written.items} items")
    with _step(console, "topics and model, fitted on its history"):
        _crossnet("train", str(place.world), "--out", str(place.artifact), *_TRAIN)
    settings = for_artifacts(place.artifact, bootstrap)
    with _step(console, "Kafka topics and the worker"):
        asyncio.run(kafka_topics.create(settings))
        metrics = _start_worker(place, settings)
        page = _start_serve(place, settings)
        console.print(f"  watch it live at {page}", soft_wrap=True)
    with _step(console, "the rest of the world, live through Kafka"):
        _replay(place, settings, metrics, rate, console)
    console.print(_table(metrics))
    _show_lists(place, settings, console)
    for what, where in (("page", page), ("Kafka", bootstrap), ("telemetry", f"{metrics.url}/metrics"), ("files", place.folder)):
        console.print(f"{what:10} {where}", soft_wrap=True)
    accuracy = {f"{ranking}_hr@10": metrics.mean("crossnet_hits_total", ranking, 10) for ranking in _RANKINGS}
    return {**accuracy, "page": page, "kafka": bootstrap, "telemetry": f"{metrics.url}/metrics"}


@contextmanager
def _step(console: Console, what: str) -> Iterator[None]:
    begun = time.monotonic()
    console.rule(f"[bold]{what}", align="left")
    yield
    console.print(f"  [dim]{time.monotonic() - begun:.1f} s")


def _crossnet(*arguments: str) -> None:
    """A verb of our own in a process of its own; its words go to the terminal."""
    code = subprocess.run([_CROSSNET, *arguments], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode  # noqa: S603
    if code:
        raise click.ClickException(f"`crossnet {arguments[0]}` ended with code {code}; what it said stands above")


def _line(metrics: Metrics) -> str:
    """Progress and the most telling figure in one line."""
    hits = "  ".join(f"{shown} {metrics.mean('crossnet_hits_total', ranking, 10):.3f}" for ranking, shown in _RANKINGS.items())
    records = metrics.sum("crossnet_records_total")
    return f"  {records:6,.0f} records  {metrics.sum('crossnet_lists_total'):6,.0f} lists   HR@10  {hits}"


def _table(metrics: Metrics) -> Table:
    """Accuracy over all that was replayed, beside popularity."""
    table = Table("ranking", "HR@10", "HR@100", "NDCG@10", "NDCG@100", title="each interaction ranked before it is learned")
    for ranking, shown in _RANKINGS.items():
        figures = [metrics.mean(name, ranking, cut) for name in ("crossnet_hits_total", "crossnet_gain_total") for cut in (10, 100)]
        table.add_row(shown, *(f"{figure:.3f}" for figure in figures))
    return table


def _start_worker(place: Place, settings: Settings) -> Metrics:
    port = settings.worker.port if settings.worker.port and is_free(settings.worker.port) else free_port()
    command = [_CROSSNET, "worker", "--artifacts", str(place.artifact), "--bootstrap", settings.kafka.bootstrap]
    process = place.worker.start([*command, "--from", "earliest", "--port", str(port)], place.worker_log)
    metrics = Metrics(f"{HOST}:{port}")
    if process is None or not within(_READY_SECONDS, lambda: process.poll() is not None or metrics.ready()):
        raise click.ClickException(f"the worker is not ready after {_READY_SECONDS:.0f} s; see {place.worker_log}")
    if process.poll() is not None:
        raise _worker_gone(place)
    return metrics


def _start_serve(place: Place, settings: Settings) -> str:
    """The address of the page."""
    port = settings.serve.port if settings.serve.port and is_free(settings.serve.port) else free_port()
    command = [_CROSSNET, "serve", "--artifacts", str(place.artifact), "--bootstrap", settings.kafka.bootstrap, "--port", str(port)]
    process, page = place.serve.start(command, place.serve_log), Metrics(f"{HOST}:{port}")
    if process is None or not within(_READY_SECONDS, lambda: process.poll() is not None or page.ready()) or process.poll() is not None:
        raise click.ClickException(f"the page is not ready; see {place.serve_log}")
    return page.url


def _worker_gone(place: Place) -> click.ClickException:
    said = place.worker_log.read_text("utf-8", errors="replace").strip().splitlines() or ["nothing"]
    return click.ClickException(f"the worker ended with code {place.worker.code}; it said: {said[-1]}; see {place.worker_log}")


def _replay(place: Place, settings: Settings, metrics: Metrics, rate: int, console: Console) -> None:
    command = [_CROSSNET, "replay", str(place.world), "--split", "test", "--artifacts", str(place.artifact)]
    command += ["--bootstrap", settings.kafka.bootstrap, "--rate", str(rate), "--json"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        while not _ended(process, _LOOK_SECONDS):
            if place.worker.running() is None:
                raise _worker_gone(place)
            metrics.read()
            console.print(_line(metrics), soft_wrap=True)
        if process.returncode:
            raise click.ClickException(f"`crossnet replay` ended with code {process.returncode}; run it alone: {' '.join(command)}")
    finally:
        process.kill()
        said, _ = process.communicate()
    _drain(metrics, int(json.loads(said)["records"]))
    console.print(_line(metrics), soft_wrap=True)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _drain(metrics: Metrics, records: int) -> None:
    """Wait until the worker has taken all that was sent, and the last of it is ranked."""
    before = -1.0

    def all_taken() -> bool:
        nonlocal before
        time.sleep(1.0)
        metrics.read()
        ranked, previous = metrics.sum("crossnet_ranked_total"), before
        before = ranked
        return metrics.sum("crossnet_records_total") >= records and metrics.sum("crossnet_held_records") == 0 and ranked == previous

    if not within(_DRAIN_SECONDS, all_taken):
        raise click.ClickException(f"the worker took {metrics.sum('crossnet_records_total'):.0f} of {records} records; see worker.log")


def _show_lists(place: Place, settings: Settings, console: Console, count: int = 3) -> None:
    titles = {name: item.title or name for name, item in Folder(place.world).items().items()}
    for one in asyncio.run(_last_lists(settings, count)):
        console.rule(f"[bold]{escape(one['user'])}[/], read back from the Kafka topic {settings.kafka.recommendations}", align="left")
        last = one.get("last")
        if last:
            console.print(f"  has just taken [italic]{escape(titles.get(last['item'], last['item']))}")
        for place_in_list, item in enumerate(one["items"][:5], 1):
            console.print(f"  {place_in_list}. {escape(titles.get(item['item'], item['item']))}  [dim]{item['score']:.3f}")


async def _last_lists(settings: Settings, count: int) -> list[dict[str, Any]]:
    """The newest lists of so many people, each triggered by an interaction."""
    name = settings.kafka.recommendations
    found: dict[str, dict[str, Any]] = {}
    async with connection.consumer(settings.kafka) as consumer:
        partitions = [TopicPartition(name, number) for number in range(settings.kafka.partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for one, end in ends.items():
            consumer.seek(one, max(0, end - 50))
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                for record in batch:
                    value = json.loads(record.value)
                    if value["trigger"] == "interaction":
                        found[value["user"]] = value
    return sorted(found.values(), key=lambda one: -int(one["at"]))[:count]
