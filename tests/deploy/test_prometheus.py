"""Alert rules and scrape configuration, checked by Prometheus' own tool."""

import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT

_FOLDER = ROOT / "deploy" / "prometheus"


@pytest.mark.parametrize(
    "arguments", [("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")]
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    """The rules parse, the configuration finds them, and each alert fires and keeps quiet as its cases say."""
    if shutil.which("promtool") is None:
        pytest.fail("no promtool on the PATH; `deploy/run test` installs it with prometheus")
    done = subprocess.run(["promtool", *arguments], cwd=_FOLDER, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_not() -> None:
    """No alert without a test of both kinds, none in the tests that does not exist, each with a remedy."""
    rules, cases = ((_FOLDER / name).read_text("utf-8") for name in ("alerts.yml", "alerts_test.yml"))
    alerts = set(re.findall(r"alert: (\w+)", rules))
    assert alerts == set(re.findall(r'alertname="(\w+)"', cases))
    assert alerts == set(re.findall(r"alertname: (\w+)", cases))
    assert len(alerts) == rules.count("remedy:") == rules.count("summary:")
