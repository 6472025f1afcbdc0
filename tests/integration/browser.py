"""Headless Chromium, as a test sees the live page: what it says, what it logs, how it looks."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from tests.integration.until import until

# Contrast by WCAG 2: ratio of the luminances of a text and of what is really behind it.
_LOW_CONTRAST = """
const channel = (value) => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (node) => { for (; node; node = node.parentElement) {
  const colour = numbers(getComputedStyle(node).backgroundColor);
  if (colour.length === 3 || colour[3] === 1) return colour; } return [255, 255, 255]; };
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, style = getComputedStyle(element);
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("noscript, .unseen, .skip")) continue;
  const [a, b] = [light(numbers(element.closest("svg") ? style.fill : style.color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) found.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return found;
"""


def missing() -> str | None:
    """What is not there to run a browser; None when all is."""
    if _binary() and shutil.which("chromedriver"):
        return None
    return "no chromium or no chromedriver on the PATH; `deploy/run test` installs them or says how"


def _binary() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A browser of a test's own."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(_binary())
    for argument in ("--headless=new", "--disable-dev-shm-usage", "--window-size=1400,1000", "--hide-scrollbars"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's sandbox refuses root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Load a page anew."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def text(self, selector: str) -> str:
        """The visible text of the first match; empty where there is none."""
        # One script, not find and read: the page may draw itself anew between the two, and the element found is then stale.
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def count(self, selector: str) -> int:
        """How many match."""
        return int(self.run("return document.querySelectorAll(arguments[0]).length", selector))

    def wait_text(self, selector: str, text: str) -> None:
        """Return once the first match says `text`."""
        until(lambda: text in self.text(selector), f"{selector} says {text!r}", every=0.05)

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever the script returns
        """The result of a script."""
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Keys to whatever has the focus, which the page may meanwhile have drawn anew."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def emulate(self, width: int, height: int, *, mobile: bool = False, scale: float = 1.0) -> None:
        """A screen of that size."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, theme: str) -> None:
        """Light or dark, as the system would say."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})

    def low_contrast(self) -> list[str]:
        """Texts whose contrast is below 4.5."""
        return list(self.run(_LOW_CONTRAST))

    def complaints(self) -> list[str]:
        """What the console has been told since the last call."""
        return [json.dumps(one) for one in self.driver.get_log("browser")]  # type: ignore[no-untyped-call] # selenium leaves it untyped

    def picture(self, file: Path) -> None:
        """A PNG of what is seen."""
        self.driver.save_screenshot(str(file))
