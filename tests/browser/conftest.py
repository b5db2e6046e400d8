"""JupyterLab on a free local port, and Chromium to look at it, both with folders of their own.

Every wait is for a condition, in the page or on the disk; `HANG` only ends a test that hangs.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ("00_tour.ipynb", "09_explore_and_annotate.ipynb")
TOKEN = "for-this-test-alone"
HANG = 300.0
"""Seconds; more than anything here takes on a busy machine."""
NO_CHROMIUM = "no Chromium; install it (Debian, Ubuntu: apt-get install chromium) and test again"
QUIET = (  # no sandbox in containers; none of the calls home that a browser makes by itself
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READY = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.isReady && panel.sessionContext.isReady
        && panel.sessionContext.session?.kernel?.status === "idle";
}"""
COMMAND = """([name, options]) => {
    window.finished = false;
    window.jupyterapp.commands.execute(name, options).finally(() => { window.finished = true; });
}"""
FAILED = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .flatMap((cell) => cell.model.outputs?.toJSON() ?? [])
    .filter((output) => output.output_type === "error")
    .map((output) => `${output.ename}: ${output.evalue}`)"""


class Lab(NamedTuple):
    """A server with notebooks."""

    server: str
    work: Path
    """The folder of the notebooks as they are saved."""
    data: Path
    """The data folder of their kernels."""

    def address(self, notebook: str) -> str:
        """Of a page with one notebook, and none of what was open before."""
        return f"{self.server}/lab/tree/notebooks/{notebook}?reset&token={TOKEN}"


class Seen(NamedTuple):
    """A page, and what went on in it."""

    page: Page
    errors: list[str]
    """What the console says, and exceptions that nobody caught."""
    away: list[str]
    """Addresses asked for that are not on this machine."""

    def ready(self) -> None:
        """Wait until the notebook is open and its kernel has nothing to do."""
        self.page.wait_for_function(READY)

    def run_all(self) -> None:
        """Run every cell, until the last one is done or one has failed."""
        self.command("notebook:run-all-cells")
        assert self.page.evaluate(FAILED) == []

    def command(self, name: str, options: dict[str, str] | None = None) -> None:
        """Run a command of JupyterLab to its end."""
        self.page.evaluate(COMMAND, [name, options or {}])
        self.page.wait_for_function("() => window.finished")

    def shot(self, name: str) -> None:
        """Keep a picture of the page in build/browser."""
        self.page.screenshot(path=ROOT / "build" / "browser" / f"{name}.png")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab with copies of the notebooks; they run at smoke scale."""
    home = tmp_path_factory.mktemp("lab")
    (home / "work" / "notebooks").mkdir(parents=True)
    for notebook in NOTEBOOKS:
        shutil.copy(ROOT / "notebooks" / notebook, home / "work" / "notebooks")
    shutil.copytree(ROOT / "figures", home / "work" / "figures")  # which the first cell shows
    news = home / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    answers = {"fetchNews": "false", "checkForUpdates": False}
    (news / "notification.jupyterlab-settings").write_text(json.dumps(answers))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: x for name, x in os.environ.items() if not name.startswith("JUPYTER")} | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "share"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "SSN3D_DATA": str(home / "data"),
        "SSN3D_RUNS": str(home / "data" / "runs"),
        "SSN3D_SCALE": "smoke",
        "TQDM_DISABLE": "1",
    }
    options = (
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.open_browser=False",
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={home / 'work'}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    )
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api/status?token={TOKEN}", server, home / "log")
        yield Lab(address, home / "work" / "notebooks", home / "data")
    finally:
        server.terminate()  # it ends its kernels
        server.wait(HANG)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip(NO_CHROMIUM)
    expect.set_options(timeout=1000 * HANG)
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=chromium, args=QUIET, timeout=1000 * HANG)
        yield one
        one.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that nothing was tested without Chromium."""
    reports = terminalreporter.stats.get("skipped", [])
    if skipped := [report for report in reports if NO_CHROMIUM in str(report.longrepr)]:
        terminalreporter.section("BROWSER TESTS SKIPPED", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests did not run: {NO_CHROMIUM}", red=True)


@pytest.fixture(scope="module")
def executed(request: pytest.FixtureRequest, browser: Browser, lab: Lab) -> Iterator[Seen]:
    """The notebook that a module names, opened, and all its cells run."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(1000 * HANG)
    seen = Seen(page, [], [])
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and seen.errors.append(said.text))
    page.on("request", lambda request: _note(request.url, seen.away))
    page.on("websocket", lambda socket: _note(socket.url, seen.away))
    page.goto(lab.address(request.module.NOTEBOOK))
    seen.ready()
    seen.run_all()
    yield seen
    page.close()


@pytest.fixture
def seen(executed: Seen) -> Iterator[Seen]:
    """The page of the notebook; nothing may go wrong in it behind the reader's back."""
    yield executed
    assert executed.errors == []
    assert executed.away == []


def _note(address: str, away: list[str]) -> None:
    """Keep an address if it is not on this machine."""
    there = urlsplit(address)
    if there.scheme not in ("blob", "data") and there.hostname != "127.0.0.1":
        away.append(address)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + HANG
    while server.poll() is None and time.monotonic() < until:
        try:
            urlopen(address, timeout=5).close()
            return
        except OSError:  # it does not listen yet, or is slow to answer
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not start:\n{log.read_text()}")
