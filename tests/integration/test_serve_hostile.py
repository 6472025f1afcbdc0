"""What `crossnet serve` answers to those who mean it no good: a 4xx, in bounded memory, and never a stack trace."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.broker import HOST
from streams.settings import ServeSettings
from tests.integration.kafka import Kafka
from tests.integration.serve import Serve, made, record
from tests.integration.until import until

_STREAMS = 500
_JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def serve(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """One server for all of them; whatever one does to it, the next one finds it well."""
    kafka = Kafka(broker)
    limits = ServeSettings(request_seconds=1.5, streams=_STREAMS, connections=_STREAMS + 100)
    settings = kafka.settings().model_copy(update={"serve": limits})
    kafka.create(settings)
    kafka.produce(settings.kafka.recommendations, [record(made("ann"))])
    with Serve(settings, tmp_path_factory.mktemp("serve")) as one:
        one.wait_ready()
        yield one


@pytest.fixture(autouse=True)
def _as_before(serve: Serve) -> Iterator[None]:
    """After each: the next one is answered, nothing was an error of ours, no stack trace was logged."""
    yield
    assert "ann" == serve.get("/recommendations/ann")["user"]
    assert "Traceback" not in serve.log.read_text("utf-8", "replace")
    assert 'status="500"' not in serve.request("GET", "/metrics")[1].decode()


def _talk(serve: Serve, sent: bytes, seconds: float = 10.0) -> bytes:
    """Send bytes; all that is answered until the server closes or says no more."""
    with socket.create_connection((HOST, serve.port), timeout=seconds) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            while piece := connection.recv(65536):
                answer += piece
        except (ConnectionError, BrokenPipeError):
            pass
        return answer


def _status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    assert found, answer[:200]
    assert b"Traceback" not in answer
    return int(found[1])


def _request(line: str, *headers: str, host: str = "localhost", body: bytes = b"") -> bytes:
    head = "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *headers])
    return head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


_PATHS = [
    ("/../../etc/passwd", 404), ("/page/../../server.py", 404), ("/%2e%2e/%2e%2e/etc/passwd", 404), ("//etc/passwd", 404),
    ("/page.css/../../server.py", 404), ("/page.css%00.html", 404), ("/%5c..%5cserver.py", 404), ("/server.py", 404),
    ("/users/..%2f..%2fetc%2fpasswd", 404), ("/users/%00", 404), ("/users/%ff%fe", 404), ("/users/\udcff", 400), ("/users/", 404),
    (f"/users/{'x' * 257}", 422), (f"/users/{'%C3%A9' * 129}", 422), (f"/recommendations/{'x' * 10_000}", 400),
    ("/recommendations/ann?n=0", 422), ("/recommendations/ann?n=-1", 422), ("/recommendations/ann?n=1e3", 422),
    ("/recommendations/ann?n=99999999999999999999", 422), ("/recommendations/ann?n=%D9%A3", 422),
    ("/recommendations/ann?exclude=", 422), (f"/recommendations/ann?{'exclude=a&' * 300}", 422),
    ("http://elsewhere/users/ann", 421), ("*", 400), ("no-slash", 400),
]  # fmt: skip


def test_paths_lead_nowhere_they_should_not(serve: Serve) -> None:
    """Climbing, encoding and endless paths, and impossible values in them, are each a 4xx."""
    assert _PATHS == [(path, _status(_talk(serve, _request(f"GET {path}")))) for path, _ in _PATHS]


def test_methods_and_hosts_that_are_not_meant(serve: Serve) -> None:
    """Another method is 405 with the allowed ones; the name of another host (DNS rebinding) is 421; a foreign page's form is 415."""
    answer = _talk(serve, _request("DELETE /users/ann"))
    assert (405, True) == (_status(answer), b"Allow: GET,HEAD" in answer)
    assert 405 == _status(_talk(serve, _request("HEAD /live")))
    assert 421 == _status(_talk(serve, _request("GET /users/ann", host="evil.example")))
    form = b'{"user":"ann","text":"x"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = (f"Content-Type: {kind}", f"Content-Length: {len(form)}")
        assert 415 == _status(_talk(serve, _request("POST /events/twitter", *headers, body=form)))


def test_header_floods_and_noise_are_refused(serve: Serve) -> None:
    """Two hundred headers, one of 100 kB, a megabyte without a line's end, and bytes that are no HTTP: 400, each at once."""
    flood = [f"X-{number}: y" for number in range(200)]
    assert 400 == _status(_talk(serve, _request("GET /healthz", *flood)))
    assert 400 == _status(_talk(serve, _request("GET /healthz", f"X-Long: {'y' * 100_000}")))
    assert 400 == _status(_talk(serve, b"GET /" + b"a" * 1_000_000))
    assert 400 == _status(_talk(serve, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"))


def test_large_compressed_and_wrong_bodies_are_refused(serve: Serve) -> None:
    """10 MB, announced or in chunks, is 413; a compressed body 415; deep nesting, lone surrogates and NaN 422."""
    large = b'{"user":"ann","text":"' + b"x" * 10_000_000 + b'"}'
    assert 413 == _status(_talk(serve, _request("POST /events/twitter", _JSON, f"Content-Length: {len(large)}", body=large)))
    chunks = b"".join(b"%x\r\n%s\r\n" % (65536, b"x" * 65536) for _ in range(160)) + b"0\r\n\r\n"
    assert 413 == _status(_talk(serve, _request("POST /events/twitter", _JSON, "Transfer-Encoding: chunked", body=chunks)))
    small = b"not gzip"
    zipped = _request("POST /events/twitter", _JSON, "Content-Encoding: gzip", f"Content-Length: {len(small)}", body=small)
    assert 415 == _status(_talk(serve, zipped))
    for bad in (b"[" * 100_000, b'{"user":"\\ud800","text":"x"}', b'{"user":"ann","text":NaN}', b"", b"\xff"):
        assert 422 == serve.post("twitter", bad)[0]
    assert 404 == serve.post("myspace", {"user": "ann", "text": "x"})[0]


def test_slow_clients_are_sent_away(serve: Serve) -> None:
    """Half a request, and half a body, are given up on after `request_seconds`."""
    assert b"" == _talk(serve, b"GET /healthz HTTP/1.1\r\nHost: loc")
    assert 408 == _status(_talk(serve, _request("POST /events/twitter", _JSON, "Content-Length: 100", body=b"{")))


def test_streams_have_a_limit_and_slow_ones_cost_nothing(serve: Serve) -> None:
    """500 streams are open that nobody reads: one more is 503, lists are served all the while, memory grows by less than 100 MB."""
    before = _resident_mb(serve)
    with ExitStack() as stack:
        streams = [stack.enter_context(socket.create_connection((HOST, serve.port), timeout=20)) for _ in range(_STREAMS)]
        for one in streams:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(_request("GET /live"))
        until(lambda: f"crossnet_serve_streams {_STREAMS}.0" in serve.request("GET", "/metrics")[1].decode(), "all are open")
        assert 503 == _status(_talk(serve, _request("GET /live")))
        for _ in range(20):
            assert "ann" == serve.get("/recommendations/ann")["user"]
        crowd = [stack.enter_context(socket.create_connection((HOST, serve.port), timeout=20)) for _ in range(200)]
        # Above serve.connections the door is closed without a word.
        until(lambda: any(_is_closed(one) for one in crowd), "some are sent away")
        assert _resident_mb(serve) - before < 100
    until(lambda: _answers(serve), "the crowd has left")
    until(lambda: "crossnet_serve_streams 0.0" in serve.request("GET", "/metrics")[1].decode(), "all are closed")


def _answers(serve: Serve) -> bool:
    try:
        return serve.request("GET", "/healthz")[0] == 200
    except OSError:
        return False


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _resident_mb(serve: Serve) -> float:
    status = Path(f"/proc/{serve.process.pid}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status.read_text("ascii"))[0]) / 1024


def test_requests_made_from_the_document_get_the_answers_it_promises(serve: Serve, tmp_path: Path) -> None:
    """Schemathesis finds no answer that the OpenAPI document does not have, no wrong input taken, and no error of ours.

    Left out: the stream, which does not end, and the check that all input valid by schema is taken, because a date may be valid and
    lie in the future.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{serve.url}/openapi.json", "--exclude-path", "/live",
               "--exclude-checks", "positive_data_acceptance", "--max-examples", "25", "--seed", "1", "--no-color"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=600)
    assert 0 == done.returncode, re.sub(r"(.{1,6}?)\1{40,}", r"\1...", done.stdout)[-8000:]
    assert re.search(r"\d{2,} generated", done.stdout), done.stdout[-500:]


def test_errors_look_alike(serve: Serve) -> None:
    """Every error is JSON with a label and a sentence, and carries the headers of every answer."""
    answer = _talk(serve, _request("GET /users/nobody"))
    head, body = answer.split(b"\r\n\r\n", 1)
    assert {"error", "message"} == set(json.loads(body))
    for header in (b"Content-Security-Policy: default-src 'none'", b"X-Content-Type-Options: nosniff", b"Cache-Control: no-store"):
        assert header in head
