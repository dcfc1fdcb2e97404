"""Take the pictures of the documentation from a running app.

python docs/screenshots.py http://127.0.0.1:7860/ [--run N] [--tab NAME] [--dark]

Writes docs/screenshots/NAME.png at 1440 pixels and NAME-narrow.png at 390. For the picture of
Refine start a run first and call this while it is running; `start` is its form alone.
"""

import argparse
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
READY = {
    "refine": "#run-panel [data-state]",
    "start": "#preset-note .preset-note",
    "trends": "[data-curve=syntax] .main-svg",
    "pairs": "#pair-focus [data-pair]",
    "compare": "[data-comparison][data-state=over]",
    "tasks": "#task-table table",
}
MORE = {  # imported, checked and answered before
    "compare": "&comparison=1",
    "tasks": "&set=spider&task=spider-27",
}
CLICKS = {"start": ["#preset label:last-child", "#elsewhere button"]}  # before it is taken
PART = {"start": "#form-column"}  # of the page; else all of it
WIDTHS = {"": 1440, "-narrow": 390}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def take(page: Page, url: str, tab: str, run: int | None, theme: str) -> None:
    where = "refine" if tab == "start" else tab
    query = f"?tab={where}&__theme={theme}" + (f"&run={run}" if run else "") + MORE.get(tab, "")
    page.set_viewport_size({"width": WIDTHS[""], "height": 900})
    page.goto(url.rstrip("/") + "/" + query)
    page.wait_for_selector(READY[tab])
    page.wait_for_selector("#worker-state footer")
    page.add_style_tag(content="#foot { display: none }")  # a path of this machine
    for selector in CLICKS.get(tab, ()):
        page.locator(selector).first.click()
    for suffix, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(1500)  # Plotly draws anew for the new width
        file = FOLDER / f"{tab}{'-dark' if theme == 'dark' else ''}{suffix}.png"
        if tab in PART:
            page.locator(PART[tab]).screenshot(path=file)
        else:
            page.screenshot(path=file, full_page=True)
        print(file, file.stat().st_size // 1000, "kB")


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation")
    parser.add_argument("url")
    parser.add_argument("--run", type=int, help="number of the run; the newest active one")
    parser.add_argument("--tab", choices=READY, help="only this tab")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(120_000)
        for tab in [options.tab] if options.tab else READY:
            take(page, options.url, tab, options.run, "dark" if options.dark else "light")
        browser.close()


if __name__ == "__main__":
    main()
