"""Make the README's picture from a finished demo and Chromium: ``python docs/screenshot.py DEMO``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

TARGET = Path(__file__).parent / "images" / "lab.png"


def main(demo: str) -> None:
    """Open the demo's notebook in JupyterLab, run it, open the sidebar, take the picture."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tempfile.mkdtemp()
    words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    words += [f"--port={port}", "--IdentityProvider.token=t", f"--ServerApp.root_dir={demo}"]
    environment = {**os.environ, "HOME": home, "JUPYTER_CONFIG_DIR": f"{home}/config"}
    server = subprocess.Popen(words, env=environment, cwd=demo, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=t").close()
                break
            except OSError:
                time.sleep(0.3)
        with sync_playwright() as playwright:
            options = ["--no-sandbox", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
            page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1.25)
            page.set_default_timeout(120_000)
            page.goto(f"http://127.0.0.1:{port}/lab/tree/train.ipynb?reset&token=t")
            page.locator('.jp-SideBar [data-id="provenote-runs"]').click()
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
            time.sleep(3)
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_text("Run All Cells", exact=True).click()
            page.locator(".jp-OutputArea img").first.wait_for()
            time.sleep(4)
            page.locator(".jp-OutputArea img").first.scroll_into_view_if_needed()
            page.mouse.move(900, 500)
            page.mouse.wheel(0, -250)
            time.sleep(2)
            TARGET.parent.mkdir(exist_ok=True)
            page.locator(".jp-toast-button, .Toastify__close-button").last.click()
            time.sleep(1)
            page.screenshot(path=str(TARGET))
            browser.close()
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main(sys.argv[1])
