"""The page of the sandbox as a person sees it, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import httpx
import pytest

from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from foxbatch.sandbox.faults import read_plan

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
)

expect = playwright.expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='t'\">"
    "\"quotes\" & 'more' \u202eleft to right\u202c 🦊 </p></li>"
)
PLAN = """\
foxbatch: 1
title: A test
rules:
  - {name: lost-reply, on: submit, model: veo-3.1, do: {drop: true}}
  - name: bad-luck
    on: submit
    model: gpt-image-2
    do: {task: {fails: service_error}}
"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)


class Service:
    """A sandbox, and a client that orders from it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url)

    def order(self, prompt: str = "A red fox", model: str = "veo-3.1-fast") -> str:
        """Order something small; return its task."""
        kind = "images" if "image" in model else "videos"
        body = {"model": model, "prompt": prompt}
        if kind == "videos":
            body |= {"duration": 4, "resolution": "720p"}  # type: ignore[dict-item]
        reply = self.client.post(f"/v1/{kind}/generations", json=body)
        return str(reply.json()["id"])


@pytest.fixture
def service() -> Iterator[Service]:
    plan = read_plan(PLAN, shown_as="plan.yaml", name="plan")
    with EmbeddedSandbox(SandboxOptions(speed=60, plan=plan)) as sandbox:
        service = Service(sandbox.url)
        with service.client:
            yield service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    """The page, opened; whatever a console would show fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(service.url)
    expect(page.locator("#link")).to_have_text("live")
    yield page
    context.close()
    assert complaints == []


def test_tasks_appear_and_are_completed(page: Page, service: Service) -> None:
    expect(page.locator("#no-tasks")).to_be_visible()

    task = service.order("A lighthouse in the rain")

    row = page.locator(".task", has_text=task)
    expect(row).to_contain_text("A lighthouse in the rain")
    expect(row).to_contain_text("veo-3.1-fast")
    expect(row).to_contain_text("credits")
    expect(row.locator(".badge")).to_have_text("completed")
    expect(page.locator("#by-status")).to_contain_text("1 completed")
    link = row.get_by_role("link", name="result", exact=True)
    expect(link).to_have_attribute("href", f"{service.url}/files/{task}/0.mp4")


def test_a_result_is_loaded_only_when_pointed_at(page: Page, service: Service) -> None:
    row = page.locator(".task", has_text=service.order())
    view = row.locator("a.view")
    expect(view).to_be_visible()
    before = service.client.get("/sandbox/stats").json()["requests"]

    view.hover()

    expect(row.locator("video")).to_have_js_property("paused", False)
    after = service.client.get("/sandbox/stats").json()["requests"]
    assert "GET /files/{id}/{name}" not in before
    assert "GET /files/{id}/{name}" in after


def test_faults_are_shown_where_they_hit(page: Page, service: Service) -> None:
    with pytest.raises(httpx.ReadError):
        service.order("A pier in fog", model="veo-3.1")
    failing = service.order("A glass of water", model="gpt-image-2")

    request = page.locator("#request-list li", has_text="lost-reply")
    expect(request.locator(".status")).to_have_text("dropped")
    expect(page.locator("#fault-names")).to_contain_text("1 lost-reply")
    row = page.locator(".task", has_text=failing)
    expect(row.locator(".badge")).to_have_text("failed")
    expect(row.locator(".hit")).to_have_text("bad-luck")


def test_a_hostile_prompt_stays_text(page: Page, service: Service) -> None:
    task = service.order(HOSTILE)

    prompt = page.locator(".task", has_text=task).locator(".prompt")
    expect(prompt).to_have_text(HOSTILE)
    assert prompt.evaluate("element => element.childElementCount") == 0
    assert page.title() == "foxbatch sandbox"
    assert page.locator(".tasks > *").count() == 1


def test_the_filter_keeps_what_fits(page: Page, service: Service) -> None:
    fox, sea = service.order("A red fox"), service.order("A calm sea")
    expect(page.locator(".task")).to_have_count(2)

    page.get_by_label("Filter tasks and requests").fill("calm SEA")

    expect(page.locator(".task", has_text=fox)).to_be_hidden()
    expect(page.locator(".task", has_text=sea)).to_be_visible()
    expect(page.locator("#matches")).to_have_text("1 tasks, 0 requests")


def test_what_is_copied_can_be_pasted_into_a_shell(
    page: Page, service: Service
) -> None:
    page.get_by_role("button", name="Copy the environment").click()

    expect(page.locator("#copied")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"export FOXAPI_BASE_URL={service.url}\nexport FOXAPI_API_KEY=any-key"
    )


def test_it_is_light_or_dark_as_the_person_wants(page: Page) -> None:
    def brightness() -> list[int]:
        colour = "getComputedStyle(document.body).backgroundColor"
        found: list[int] = page.evaluate(f"{colour}.match(/\\d+/g).map(Number)")
        return found

    page.emulate_media(color_scheme="light")
    light = brightness()
    page.emulate_media(color_scheme="dark")
    dark = brightness()

    assert min(light) > 200
    assert max(dark) < 60


CONTRASTS = """() => {
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const parts = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parts(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest('.unseen')) continue;
    const [a, b] = [parts(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.className} ${element.textContent} ${ratio}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(
    page: Page, service: Service, scheme: Literal["light", "dark"]
) -> None:
    with pytest.raises(httpx.ReadError):
        service.order(model="veo-3.1")
    service.order(model="gpt-image-2")
    service.order()
    expect(page.locator(".badge.is-good")).to_have_count(2)

    page.emulate_media(color_scheme=scheme)

    assert page.evaluate(CONTRASTS) == []


def test_it_can_be_used_with_the_keyboard_alone(page: Page) -> None:
    reached = []
    for _ in range(11):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(e => e.dataset.copies ?? e.id ?? '')(document.activeElement)"
            )
        )

    assert {"address", "environment", "curl", "filter"} <= set(reached)
    assert page.evaluate("document.activeElement.matches(':focus-visible')")


def test_it_rests_while_nobody_looks(page: Page) -> None:
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(page.locator("#link")).to_have_text("paused")

    page.evaluate(
        "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"
    )
    expect(page.locator("#link")).to_have_text("live")


def test_a_narrow_screen_scrolls_down_only(page: Page, service: Service) -> None:
    service.order("x" * 500)
    expect(page.locator(".task")).to_have_count(1)

    page.set_viewport_size({"width": 360, "height": 800})

    inside, outside = page.evaluate("[document.body.scrollWidth, innerWidth]")
    assert inside <= outside
