"""The site: links lead somewhere, nothing is asked of other hosts, and a phone can show it."""

import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

import ssn3d

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
PAGES = ("index", "figures/claims", "docs/results", *(f"notebooks/{name}" for name in NOTEBOOKS))


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            if name in ("id", "name") and value:
                self.anchors.add(value)


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "docs" / "build.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_every_link_within_the_site_leads_somewhere(site):
    pages = {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}
    assert len(pages) > len(PAGES)
    dead = []
    for name, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(f"http://site/{name}", link))
            if urlsplit(target).netloc != "site":
                continue
            path = unquote(urlsplit(target).path).lstrip("/")
            there = pages.get(path)
            if not (site / path).is_file() or (there and anchor and anchor not in there.anchors):
                dead.append(f"{name} -> {link}")
    assert not dead


def test_the_public_names_are_described(site):
    described = Page(site / "docs" / "api.html").anchors
    assert {f"ssn3d.{name}" for name in {*ssn3d.__all__} - {"losses", "models"}} <= described
    assert {"ssn3d.losses.ssn_loss", "ssn3d.models.ssn.SSN"} <= described


@pytest.mark.parametrize("width", [1200, 400])
def test_pages_open_without_errors_or_requests_elsewhere_and_fit(address, browser, width):
    faults: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("console", lambda said: said.type == "error" and faults.append(said.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda asked: asked.url.startswith((address, "data:")) or faults.append(asked.url),
    )
    for name in PAGES:
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        if page.evaluate("document.documentElement.scrollWidth") > width:
            faults.append(f"{name} is wider than {width}")
    page.close()
    assert not faults


def test_mathematics_is_drawn(address, browser):
    page = browser.new_page()
    page.goto(f"{address}/notebooks/00_tour.html")
    page.wait_for_selector("mjx-container")
    page.close()


def test_the_search_finds_a_notebook(address, browser):
    page = browser.new_page()
    page.goto(f"{address}/search.html?q=convolution")
    page.wait_for_selector("ul.search li")
    page.close()
