"""The peer of the worker bench: a Faust agent that decodes JSON and does nothing else."""

import sys
from pathlib import Path
from typing import Any

import faust
import orjson

_EVERY = 500


def main() -> None:
    """Count records of a Kafka topic into a file until killed: BOOTSTRAP KAFKA_TOPIC FILE."""
    bootstrap, name, file = sys.argv[1:4]
    app = faust.App("crossnet-bare", broker=f"kafka://{bootstrap}", store="memory://", value_serializer="raw", web_enabled=False,
                    topic_allow_declare=False, topic_disable_leader=True, stream_wait_empty=False,
                    consumer_auto_offset_reset="earliest")  # fmt: skip

    @app.agent(app.topic(name, value_serializer="raw", key_serializer="raw"))
    async def count(stream: Any) -> None:  # noqa: ANN401 - a faust.Stream
        seen = 0
        async for value in stream:
            orjson.loads(value)
            seen += 1
            if seen % _EVERY == 0:
                Path(file).write_text(str(seen), encoding="ascii")  # noqa: ASYNC240 - a few bytes, and the peer has nothing else to do

    faust.Worker(app, loglevel="ERROR", quiet=True, override_logging=False, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
