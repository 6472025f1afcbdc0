"""The live page in a real browser, before a real server and a real Kafka."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from streams.settings import ServeSettings, Settings
from tests.integration.browser import Browser, chromium, missing
from tests.integration.kafka import Kafka
from tests.integration.serve import Serve, made, record
from tests.integration.until import until

HOSTILE = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    lacking = missing()
    if lacking:
        # In CI a test that did not run must not look like one that passed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
    with chromium() as one:
        yield one


@pytest.fixture
def settings(kafka: Kafka) -> Settings:
    """Kafka topics of this test's own."""
    settings = kafka.settings()
    kafka.create(settings)
    return settings


@pytest.fixture
def serve(kafka: Kafka, settings: Settings, tmp_path: Path) -> Iterator[Serve]:
    """A server with some users' lists."""
    items = [{"item": f"item{n:03d}", "title": f"Title {n}"} for n in range(20)] + [{"item": "taken", "title": "Taken before"}]
    kafka.produce(settings.kafka.items, [(one["item"].encode(), json.dumps(one).encode(), None) for one in items])
    lists = [made(f"user{n % 6}", n, rank=None if n % 3 else n % 20 + 1) for n in range(60)] + [made("user1", 60, item=None)]
    kafka.produce(settings.kafka.recommendations, [record(one) for one in lists])
    with Serve(settings, tmp_path / "serve") as one:
        one.wait_ready()
        yield one


@pytest.fixture(autouse=True)
def _leaves_before_the_server(browser: Browser, serve: Serve) -> Iterator[None]:
    """A page that is still open when its server has gone says so in the next test's console."""
    del serve
    yield
    browser.driver.get("about:blank")
    browser.complaints()


def _open(browser: Browser, serve: Serve, user: str = "") -> None:
    browser.complaints()
    browser.open(f"{serve.url}/{f'#user/{user}' if user else ''}")
    browser.wait_text("#status", "up to date")


def test_a_list_produced_to_kafka_appears_and_its_user_opens(
    kafka: Kafka, settings: Settings, serve: Serve, browser: Browser
) -> None:
    """A new list comes in by itself; a click shows its user's windows, attention and list with titles; the console stays empty."""
    _open(browser, serve)
    kafka.produce(settings.kafka.recommendations, [record(made("newcomer", 99))])
    browser.wait_text("#feed li:first-child", "newcomer")
    assert "Taken before" in browser.text("#feed li:first-child")
    browser.run("document.querySelector('#feed li a').click()")
    browser.wait_text("#person-title", "newcomer")
    browser.wait_text("#person .list li:first-child", "Title 0")
    assert (2, 20) == (browser.count("#person .step"), browser.count("#person .list li"))
    assert "The score is a single term: net" in browser.text("#person")
    assert "Place 1 on the list he had, 3 by the model, 7 by popularity" in browser.text("#person")
    browser.wait_text("#accuracy-note", "the last 61 of 61 interactions")
    kafka.produce(settings.kafka.recommendations, [record(made("newcomer", 100))])
    until(lambda: browser.count("#person .step") == 3, "an open user is kept up to date")
    _open(browser, serve, "status")
    browser.wait_text("#person", "Nothing is known of this user")
    assert [] == browser.complaints()


def test_an_item_says_which_network_and_topics_moved_it(
    kafka: Kafka, settings: Settings, serve: Serve, browser: Browser
) -> None:
    """A list after a post shows, for each item it explains, the network's part, those of its topics and of all others."""
    kafka.produce(settings.kafka.recommendations, [record(made("poster", 1, item=None))])
    until(lambda: serve.request("GET", "/users/poster")[0] == 200, "the list is there")
    _open(browser, serve, "poster")
    browser.wait_text("#person .moved", "moved by twitter +0.250")
    parts = browser.run("return [...document.querySelector('#person .moved').children].map((one) => one.textContent)")
    minus = "\N{MINUS SIGN}"
    assert ["topic 3 +0.500", f"topic 5 {minus}0.125", f"other topics {minus}0.125"] == parts[1:]
    assert 10 == browser.count("#person .moved")
    assert "by network and topic" in browser.text("#person")
    assert [] == browser.complaints()


def test_text_from_events_is_shown_and_never_run(kafka: Kafka, settings: Settings, serve: Serve, browser: Browser) -> None:
    """Markup in a user's name, an item's title, a term and a dead letter's headers stands on the page as text."""
    kafka.produce(settings.kafka.items, [(b"bad", json.dumps({"item": "bad", "title": HOSTILE}).encode(), None)])
    hostile = made(HOSTILE, 7, item="bad")
    moved = {HOSTILE: {"by": 0.5, "topics": {"1": 0.5}}}
    entries = [{"item": "bad", "score": 1.0, "why": {HOSTILE: 0.5, "net": 0.5, "moved": moved}}]
    window = {"gap_seconds": 5.0, "posts": {HOSTILE: 1}, "topics": {HOSTILE: [[1, 1.0]]}}
    kafka.produce(settings.kafka.recommendations, [record(replace(hostile, items=entries, window=window))])
    until(lambda: serve.request("GET", "/items/bad")[0] == 200, "the item is there")
    _open(browser, serve)
    browser.wait_text("#feed li:first-child .who", HOSTILE)
    browser.run("document.querySelector('#feed li a').click()")
    browser.wait_text("#person-title", HOSTILE)
    browser.wait_text("#person .list li", HOSTILE)
    assert "crossnet live" == browser.driver.title
    assert 0 == browser.run("return document.querySelectorAll('main script, main img').length")
    assert [] == browser.complaints()
    # What the policy stands for: markup from a string and inline script are refused, even by our own code.
    blocked = browser.run("try { document.body.innerHTML = '<b>x</b>'; return 'written' } catch (error) { return error.name }")
    assert "TypeError" == blocked
    browser.complaints()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_readable_in_the_light_and_in_the_dark(serve: Serve, browser: Browser, theme: str) -> None:
    """Every text has a contrast of 4.5 or more, by the system's choice of theme and after the button."""
    browser.prefer(theme)
    _open(browser, serve, "user1")
    browser.wait_text("#person .list", "Title 0")
    assert theme == browser.run("return document.documentElement.dataset.theme")
    assert [] == browser.low_contrast()
    browser.run("document.getElementById('theme').click()")
    assert theme != browser.run("return document.documentElement.dataset.theme")
    assert [] == browser.low_contrast()
    browser.run("sessionStorage.clear()")
    browser.prefer("light")


def test_it_fits_a_phone(serve: Serve, browser: Browser) -> None:
    """At 400 pixels nothing is cut off or scrolls sideways, no text is below 10 pixels, buttons can be hit."""
    browser.emulate(400, 900, mobile=True)
    try:
        _open(browser, serve, "user1")
        browser.wait_text("#person .list", "Title 0")
        assert 400 >= browser.run("return document.documentElement.scrollWidth")
        assert [] == browser.run(
            "const wrong = (one) => one.getBoundingClientRect().right > 401 || parseFloat(getComputedStyle(one).fontSize) < 10;"
            "return [...document.querySelectorAll('main *')].filter((one) => one.checkVisibility() && !one.closest('.unseen'))"
            ".filter(wrong).map((one) => one.outerHTML.slice(0, 80))"
        )
        assert [] == browser.run(
            "return [...document.querySelectorAll('header button, .head button, #feed a')]"
            ".filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 28).map((one) => one.textContent)"
        )
    finally:
        browser.emulate(1400, 1000)


def test_it_works_by_keyboard(serve: Serve, browser: Browser) -> None:
    """Tab reaches search, theme, measures, pause and lists, each with a visible focus; Enter opens a user and focuses him."""
    _open(browser, serve)
    until(lambda: browser.count("#feed li") > 0, "lists are there")
    reached: list[str] = []
    while "feed" not in reached and len(reached) < 30:
        browser.press(Keys.TAB)
        name, outline = browser.run(
            "const one = document.activeElement, shown = one.name === 'measure' ? one.nextElementSibling : one;"
            "return [one.closest('#feed') ? 'feed' : one.id || one.name || one.tagName, getComputedStyle(shown).outlineStyle]"
        )
        assert "none" != outline or "BODY" == name, name
        reached.append(name)
    wanted = ["who", "theme", "measure", "pause", "feed"]
    assert wanted == [name for name in reached if name in wanted]
    browser.press(Keys.ENTER)
    until(lambda: browser.run("return document.activeElement.id") == "person-title", "the user has the focus")
    browser.run("document.getElementById('who').focus()")
    browser.press("stranger", Keys.ENTER)
    browser.wait_text("#person", "Nothing is known of this user")
    assert [] == browser.complaints()


def test_a_token_is_asked_for(kafka: Kafka, tmp_path: Path, browser: Browser) -> None:
    """With a token file the page asks once, refuses a wrong token, and then works."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123\n", "utf-8")
    settings = kafka.settings().model_copy(update={"serve": ServeSettings(token_file=str(token))})
    kafka.create(settings)
    with Serve(settings, tmp_path / "serve") as serve:
        serve.wait_ready()
        browser.open(serve.url)
        for secret, then in (("wrong", "a token is needed"), ("0123456789abcdef0123", "up to date")):
            until(lambda: browser.run("return document.activeElement.id") == "secret", "the token is asked for")
            browser.run("document.getElementById('secret').value = ''")
            browser.press(secret, Keys.ENTER)
            browser.wait_text("#status", then)
    browser.run("sessionStorage.clear()")
    browser.complaints()


def test_a_picture_can_be_taken(serve: Serve, browser: Browser, tmp_path: Path) -> None:
    """A PNG of the page with a user open. CROSSNET_PICTURE="URL FILE" takes it of a running server instead, as for the README."""
    url, file = f"{serve.url}/#user/user1", tmp_path / "page.png"
    if "CROSSNET_PICTURE" in os.environ:
        url, name = os.environ["CROSSNET_PICTURE"].split()
        file = Path(name)
    browser.emulate(1400, 1240)
    browser.open(url)
    until(lambda: browser.count("#feed li") > 3 and browser.count("#person .list li") > 3, "lists and a user are there")
    browser.run("document.activeElement.blur()")
    browser.picture(file)
    browser.emulate(1400, 1000)
    assert b"\x89PNG" == file.read_bytes()[:4]
    assert file.stat().st_size > 30_000, "an empty page compresses to less"
