"""A worker's telemetry as another program reads it: /readyz and /metrics over HTTP."""

import http.client
import re

_SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


class Metrics:
    """The /metrics at an address "host:port", as they were last read."""

    def __init__(self, address: str, seconds: float = 10.0) -> None:
        self.url = f"http://{address}"
        self._address, self._seconds = address, seconds
        self._series: dict[tuple[str, frozenset[str]], float] = {}

    def ready(self) -> bool:
        """Whether the program reads its input."""
        return self.not_ready() is None

    def not_ready(self) -> str | None:
        """Why the program does not read its input, in its own words; None when it does."""
        try:
            status, body = get(self._address, "/readyz", self._seconds)
        except (OSError, http.client.HTTPException) as error:
            return f"nothing answers at {self.url} ({type(error).__name__})"
        return None if status == 200 else body.decode("utf-8", "replace").strip()

    def read(self) -> None:
        """Read them anew."""
        series = {}
        for line in get(self._address, "/metrics", self._seconds)[1].decode().splitlines():
            found = _SERIES.match(line)
            if found:
                series[found[1], frozenset(filter(None, (found[2] or "").split(",")))] = float(found[3])
        self._series = series

    def names(self) -> set[str]:
        """Names of all series."""
        return {name for name, _ in self._series}

    def sum(self, name: str, **labels: str) -> float:
        """Sum of the series of that name with these labels."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        return sum(value for (one, has), value in self._series.items() if one == name and wanted <= has)

    def mean(self, name: str, ranking: str, cut: int) -> float:
        """A hit rate or gain per ranked interaction."""
        ranked = self.sum("crossnet_ranked_total", ranking=ranking)
        return self.sum(name, ranking=ranking, k=str(cut)) / ranked if ranked else 0.0


def get(address: str, path: str, seconds: float = 10.0) -> tuple[int, bytes]:
    """Status and body of a GET at an address "host:port"; OSError or HTTPException when nothing answers so soon."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
