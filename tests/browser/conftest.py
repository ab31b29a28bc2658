"""A real JupyterLab with a project, in Debian's Chromium.

Set ``SHOTS`` to a folder to get pictures of what the tests saw.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1]))  # what tests of several folders act in

TOKEN = "secret"
NOT_OURS = (
    "reading 'schema'",  # Notebook 7.6 throws it on /tree without us, too (its own shortcuts plugin)
    "widget model not found",  # what JupyterLab says of any widget in a notebook without its kernel
    "503 (Service Unavailable)",  # what a test answers in the server's place
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser, and skip it where there is none."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no chromium: `apt-get install chromium`"))


@dataclass(frozen=True)
class Server:
    """A running Jupyter server.

    Parameters
    ----------
    url : str
        Its address with the base URL.
    root : Path
        Its root folder.
    """

    url: str
    root: Path

    def page(self, path: str) -> str:
        """Return the address of a page, with the token."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={TOKEN}"


@contextmanager
def serve(root: Path, home: Path) -> Iterator[Server]:
    """Run JupyterLab on ``root``, with a home of its own, under a base URL that needs quoting."""
    settings = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = '{"checkForUpdates": false, "fetchNews": "false", "doNotDisturbMode": true}'
    (settings / "notification.jupyterlab-settings").write_text(quiet)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/user/x%20y/"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--ServerApp.base_url=/user/x%20y/"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    own = {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"), "IPYTHONDIR": str(home / "ipython")}
    own |= {"JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    # Kernels find the commands of this environment, whether it is activated or not.
    own["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=os.environ | own, cwd=home, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    urllib.request.urlopen(f"{url}api/status?token={TOKEN}", timeout=5).close()
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        pytest.fail(f"the server did not start:\n{log.read_text()}")
                    time.sleep(0.2)
            yield Server(url, root)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium once a module: while Playwright runs, no asyncio test can run in this thread."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-dev-shm-usage"]  # --no-sandbox: tests may run as root
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield browser
        browser.close()


@pytest.fixture
def server(repo: Path, tmp_path: Path) -> Iterator[Server]:
    """Run a server on the project."""
    with serve(repo, tmp_path / "server-home") as server:
        yield server


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Open a page that is closed before the server; an error in it fails the test."""
    with open_page(browser) as page:
        yield page


@contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """Open a page and fail on errors in its console, but those that are not ours."""
    context = browser.new_context(viewport={"width": 1300, "height": 800}, locale="en-US")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error.stack)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    try:
        yield page
    finally:
        context.close()
    assert [error for error in errors if not any(known in error for known in NOT_OURS)] == []


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Return a function that keeps a picture where ``SHOTS`` says, and does nothing without it."""

    def take(page: Page, name: str) -> None:
        if folder := os.environ.get("SHOTS"):
            page.screenshot(path=Path(folder) / f"{name}.png")

    return take
