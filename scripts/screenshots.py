#!/usr/bin/env python3
"""Takes the pictures of the deck in docs/pictures: of the run that `make demo` left, in the machine's Chromium.

make demo && .venv/bin/python scripts/screenshots
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SHOTS = {
    "fleet": ("/", "light"),
    "inbox": ("/inbox", "light"),
    "review": ("/task/cachetools-frozen-clock", "dark"),
    "trust": ("/trust", "light"),
}


def main() -> int:
    """Serve the demo's run and look at its pages."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser or not (ROOT / "demo-run" / ".reeve").exists():
        print("screenshots: `make demo` and `make setup-tests` first", file=sys.stderr)
        return 1
    command = [Path(sys.executable).with_name("reeve"), "serve", "--port", "0", "--json"]
    server = subprocess.Popen(command, cwd=ROOT / "demo-run", stdout=subprocess.PIPE, text=True)
    try:
        said = ""
        while "}" not in said and (line := server.stdout.readline()):
            said += line
        take(browser, json.loads(said)["address"])
    finally:
        server.terminate()
        server.wait(30)
    return 0


def take(browser: str, address: str) -> None:
    """Take one picture of each page."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for name, (path, scheme) in SHOTS.items():
            context = running.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
            page = context.new_page()
            page.goto(address)
            page.goto(address.partition("/?")[0] + path)
            page.wait_for_timeout(5000)  # parts that are computed come a moment later
            page.screenshot(path=PICTURES / f"{name}.png")
            context.close()
        running.close()


if __name__ == "__main__":
    raise SystemExit(main())
