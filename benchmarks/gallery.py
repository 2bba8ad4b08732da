"""What the gallery of 10 000 cells costs a browser that nobody watches.

Playwright has each page keep every reply it got. So the browser is driven by its own
protocol alone, or most of what is measured would be that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.conftest import CHROMIUM, SWITCHES
from tests.browser.crowd import crowd_page

_WIDTH, _HEIGHT = 1440, 900
# A desk with a mouse: without one, cells show what there appears when pointed at.
_MOUSE = (
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,"
    "primaryPointerType=4,availablePointerTypes=4"
)
_SCROLL = """(async (step, most) => {
  const box = document.querySelector('.grid, .wall'), frames = [];
  let last = await new Promise(requestAnimationFrame);
  for (const sign of [1, -1]) {
    for (let frame = 0; frame < most; frame++) {
      const before = box.scrollTop;
      box.scrollTop += sign * step;
      if (box.scrollTop === before) break;
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - last);
      last = now;
    }
  }
  frames.sort((a, b) => a - b);
  return [.5, .95].map((part) => frames[Math.floor(frames.length * part)]);
})"""
# From a change of the address until the next picture is on the screen.
_CHANGE = """(async (at) => {
  const begin = performance.now();
  location.hash = at;
  await new Promise((done) => addEventListener('hashchange', done, {once: true}));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begin;
})"""
_CHANGES = {
    "search": "q=cranes%20seed%3D7",
    "filter": "phase=failed",
    "axes": "rows=cell.seed&cols=prompt",
    "order": "sort=latency&show=wall",
    "all again": "",
}


class Browser:
    """A headless Chromium with one page, spoken to through two pipes."""

    def __init__(self, home: str) -> None:
        hear, told = os.pipe()
        say, said = os.pipe()
        switches = [
            *SWITCHES,
            _MOUSE,
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={home}",
        ]
        start = f'exec "$0" "$@" 3<&{say} 4>&{told} 2>/dev/null'
        command = ["/bin/sh", "-c", start, str(CHROMIUM), *switches, "about:blank"]
        self._process = subprocess.Popen(command, pass_fds=(say, told))
        os.close(say)
        os.close(told)
        self._in, self._out = os.fdopen(said, "wb", 0), hear
        self._left, self._count, self._session = b"", 0, ""
        while not (pages := self._pages()):
            time.sleep(0.05)
        found = self.send("Target.attachToTarget", targetId=pages[0], flatten=True)
        self._session = found["sessionId"]
        sized = {"width": _WIDTH, "height": _HEIGHT, "deviceScaleFactor": 1}
        self.send("Emulation.setDeviceMetricsOverride", **sized, mobile=False)

    def _pages(self) -> list[str]:
        found = self.send("Target.getTargets")["targetInfos"]
        return [one["targetId"] for one in found if one["type"] == "page"]

    def send(self, method: str, *, root: bool = False, **params: object) -> dict:
        """Return the result of *method*; what is told meanwhile is passed over."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": params}
        if self._session and not root:
            asked["sessionId"] = self._session
        self._in.write(json.dumps(asked).encode() + b"\0")
        while True:
            while b"\0" not in self._left:
                self._left += os.read(self._out, 1 << 20)
            line, self._left = self._left.split(b"\0", 1)
            reply = json.loads(line)
            if reply.get("id") == self._count:
                return reply["result"]

    def ask(self, code: str) -> object:
        """Return what JavaScript comes to."""
        found = self.send(
            "Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True
        )
        return found["result"].get("value")

    def open(self, url: str) -> None:
        """Open a page and wait for its first cells."""
        self.send("Page.navigate", url=url)
        while not self.ask("document.querySelector('figure.cell') !== null"):
            time.sleep(0.02)

    def megabytes(self) -> str:
        """Return what the page's process holds: all of it, and what is not shared."""
        sizes = [(0.0, 0.0)]
        for one in self.send("SystemInfo.getProcessInfo", root=True)["processInfo"]:
            if one["type"] == "renderer":
                text = Path(f"/proc/{one['id']}/smaps_rollup").read_text()
                sizes.append((_mb(text, "Rss"), _mb(text, "Private_.*")))
        resident, own = max(sizes)
        return f"{resident:4.0f} MB resident, {own:4.0f} MB of its own"

    def close(self) -> None:
        """End it."""
        self.send("Browser.close", root=True)
        self._process.wait(20)


def _mb(text: str, name: str) -> float:
    found = re.findall(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return sum(map(int, found)) / 1000


def _measure(browser: Browser, page: Path, view: str, step: int) -> None:
    browser.open(f"{page.as_uri()}#show={view}")
    cells_s = float(str(browser.ask("performance.now()"))) / 1000
    paint = browser.ask("performance.getEntriesByType('paint')[0].startTime / 1000")
    print(f"{view}: first paint {paint:.2f} s, first cells {cells_s:.2f} s")
    time.sleep(2)
    print(f"  loaded            {browser.megabytes()}")
    middle, most = browser.ask(f"{_SCROLL}({step}, 400)")
    print(f"  frames            {middle:.1f} ms, 95 % within {most:.1f} ms")
    print(f"  scrolled          {browser.megabytes()}")
    time.sleep(12)
    print(f"  12 s later        {browser.megabytes()}")


def main() -> None:
    """Print what each view and change costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000)
    cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        page = crowd_page(Path(home), cells)
        print(f"{cells:,} cells, {page.stat().st_size / 1e6:.1f} MB; load", end=" ")
        print(*(f"{load:.1f}" for load in os.getloadavg()))
        for view, step in (("grid", 90), ("wall", 90)):
            browser = Browser(f"{home}/{view}")
            _measure(browser, page, view, step)
            if view == "grid":
                for name, at in _CHANGES.items():
                    print(f"  {name:17} {browser.ask(f'{_CHANGE}({at!r})'):.0f} ms")
            browser.close()


if __name__ == "__main__":
    main()
