"""A real browser for the pages: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.require import missing

FLAGS = (
    "--no-sandbox",  # Its sandbox refuses to run as root, as CI does.
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium. Not for longer: while Playwright runs, an event loop runs in this thread, and no test could run its own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def expect(browser: Any) -> Any:
    """Waits until something on a page is so. The page's own policy forbids to ask by a text that it would have to evaluate."""
    from playwright.sync_api import expect

    return expect


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where screenshots are kept, to be looked at after the tests."""
    folder = Path(__file__).resolve().parents[2] / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
