"""Prefect's UI as a person uses it: by what is written on the page, and waiting for what it shows."""

import json
import os
import re
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import expect
from tests.support.prefect_api import headers

SECONDS = 300
"""How long anything may take that the page shows: a worker starts a process, which imports Prefect; 120 s were too few
once, on a machine with ten times its load."""

HIDE_PATHS = r"""
temporary => {
  const path = new RegExp(`(file://)?${temporary}/[\\w./-]+`, "g")
  const hide = text => text.replace(path, (_, file) => (file ? "file:///backups" : "/…"))
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) texts.currentNode.nodeValue = hide(texts.currentNode.nodeValue)
  for (const input of document.querySelectorAll("input, textarea")) input.value = hide(input.value)
}
"""
"""Takes the folders of a test out of a picture: they are of one machine, and gone."""


TRIES = 20
"""How often a list is opened before that is given up."""


class Ui:
    """One page of the browser, at one Prefect server."""

    def __init__(self, page, api):
        self.page, self.api = page, api
        self.url = api.removesuffix("/api") + "/v2"
        page.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)

    @property
    def password(self):
        return self.page.get_by_placeholder("admin:pass")

    def log_in(self, password):
        """Paste the password, where the UI asks for it."""
        self.password.fill(password)
        self.page.get_by_role("button", name="Login").click()

    def open(self, path):
        """Go to a place; what is waited for is what comes next."""
        self.page.goto(f"{self.url}{path}", wait_until="commit")

    @property
    def main(self):
        return self.page.get_by_role("main")

    def call(self, method, path, body=None):
        """Ask the API; only where the page does not show it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - a test's own server
            f"{self.api}{path}", data, headers(self.api), method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.loads(answer.read() or "null")

    # --- the form of a run

    def form(self, deployment):
        """Open the form of a run: the deployments, this one, Run, Custom run."""
        found = self.call("GET", f"/deployments/name/{deployment}")["id"]
        self.open(f"/deployments/deployment/{found}")
        self.main.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Custom run").click()
        expect(self.submit_button).to_be_visible()

    @property
    def submit_button(self):
        return self.main.get_by_role("button", name="Submit")

    def label(self, title, within=None):
        return (within or self.main).locator("label", has_text=re.compile(rf"^{re.escape(title)}( \(Optional\))?$"))

    def field(self, title, within=None):
        """Return one field with its title, description, input and errors."""
        return self.label(title, within).locator("xpath=ancestor::*[fieldset][1]")

    def titles(self):
        """Return the titles of the fields, in order, without that of the run's name, which is no parameter."""
        return [each for each in self.main.locator("label").all_inner_texts() if each != "Run Name"]

    def fill(self, title, value, within=None):
        """Fill a field of text, a number, or JSON, for which there is an editor with a mind of its own."""
        box = self.field(title, within).get_by_role("spinbutton" if isinstance(value, int) else "textbox")
        if not isinstance(value, dict):
            box.fill(str(value))
            return
        box.press("Control+a")
        box.press("Delete")
        expect(box).to_have_text("")
        self.page.keyboard.insert_text(json.dumps(value))
        expect(box).to_have_text(json.dumps(value))

    def add(self, title, text):
        """Add an item to a list."""
        field = self.field(title)
        field.get_by_role("button", name="Add item").click()
        field.get_by_role("textbox").last.fill(text)

    def switch(self, title):
        self.field(title).get_by_role("switch").click()

    def choices(self, title):
        """Return the values of which a field takes one."""
        self._unfold(title)
        found = self.page.get_by_role("option").all_inner_texts()
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_role("option")).to_have_count(0)  # else the next list would have these, too
        return found

    def choose(self, title, value, within=None):
        """Choose one value of several."""
        self._unfold(title, within)
        self.page.get_by_role("option", name=value, exact=True).click()

    def _unfold(self, title, within=None):
        """Open the list of a field; again, where the form was drawn again after the click and closed it."""
        option, button = self.page.get_by_role("option").first, re.compile("^Select ")
        for _ in range(TRIES):
            self.field(title, within).get_by_role("button", name=button).click()
            with suppress(AssertionError):
                expect(option).to_be_visible(timeout=3000)
                return
        expect(option).to_be_visible()

    def submit(self):
        """Start the run; open its page."""
        # The note with the link to it disappears by itself, after some seconds.
        with self.page.expect_response(re.compile("/create_flow_run")) as made:
            self.submit_button.click()
        self.open(f"/runs/flow-run/{made.value.json()['id']}")

    # --- the page of a run

    @property
    def run_id(self):
        return re.search(r"/runs/flow-run/([0-9a-f-]{36})", self.page.url).group(1)

    def shows(self, state):
        """Wait until the page shows this state of the run."""
        expect(self.main.get_by_text(state, exact=True).first).to_be_visible()

    def title(self):
        """Return the name of the run, as its page has it."""
        path = self.main.get_by_role("navigation", name="breadcrumb").first
        return path.get_by_role("listitem").last.inner_text().partition("\n")[0]

    def tab(self, name):
        self.main.get_by_role("tab", name=name, exact=True).click()

    def task_names(self, last):
        """Return the names of the task runs that the page lists, as they began, once this one of them is there.

        The server hears of them by events, a little later than of the end of the run.
        """
        return self._anew_until(self._task_names, last)

    def logs(self, text):
        """Wait until the log of the run that the page shows has this text: its last lines come after the run's end."""
        self._anew_until(self._logs, text)

    def _anew_until(self, read, wanted):
        """Return what is read of the page, which is loaded again until it holds what is wanted."""
        limit = time.monotonic() + SECONDS
        while wanted not in (there := read()):
            assert time.monotonic() < limit, f"{wanted} is not in {there}"
            self.page.reload(wait_until="commit")
        return there

    def _logs(self):
        self.tab("Logs")
        self._sort("log sort order", "Newest to oldest")  # only lines near those in view are on the page at all
        log = self.main.get_by_role("log")
        expect(log.get_by_role("listitem").first).to_be_visible()
        return log.inner_text()

    def _task_names(self):
        self.tab("Task Runs")
        self._sort("Task run sort order", "Oldest to newest")
        links = self.main.locator("a[href*='/runs/task-run/']")
        expect(links.first).to_be_visible()
        return links.all_inner_texts()

    def _sort(self, by, order):
        box = self.main.get_by_role("combobox", name=by)
        box.click()
        self.page.get_by_role("option", name=order).click()
        expect(box).to_have_text(order)

    def artifact(self, key):
        """Open an artifact of this run; return its page."""
        self.tab("Artifacts")
        self.main.get_by_role("link", name=key).filter(
            has=self.page.get_by_role("heading", name=key, exact=True)
        ).click()
        return self.newest()

    def newest(self):
        """Open the newest version of the artifact whose history is shown; return its page."""
        self.main.locator("a[href*='/artifacts/artifact/']").first.click()
        page = self.main.get_by_role("tabpanel", name="Artifact")
        expect(page).to_be_visible()
        return page

    def well_written(self, page):
        """Nothing is left of markup that was to be rendered, and no link leads nowhere."""
        text = page.inner_text()
        assert not re.search(r"</?[a-z]+>|^#|\*\*|\]\(|^\|", text, re.MULTILINE), text
        for link in page.get_by_role("link").all():
            assert link.get_attribute("href").startswith("../"), link.get_attribute("href")

    # --- what is done to a run

    def menu(self, item):
        self.main.get_by_role("button", name="Open menu").first.click()
        self.page.get_by_role("menuitem", name=item, exact=True).click()

    def resume(self):
        """Press Resume; return the form that asks for the decision."""
        self.menu("Resume")
        form = self.page.get_by_role("dialog")
        expect(form.get_by_role("button", name="Resume")).to_be_visible()
        return form

    def cancel(self):
        """Press Cancel, and confirm it."""
        self.menu("Cancel")
        self.page.get_by_role("alertdialog").get_by_role("button", name="Cancel Flow Run", exact=True).click()

    # --- what pages do not show

    def runs(self):
        """Return how many flow runs there are, started from a form or waiting to be."""
        return self.call("POST", "/flow_runs/count", {"deployments": {"name": {"any_": ["on-demand"]}}})

    def keep(self, picture):
        """Keep a picture of the page for the README, where KUBEFERRY_SCREENSHOTS names a folder for them."""
        if folder := os.environ.get("KUBEFERRY_SCREENSHOTS"):
            # By its markup: of what is under a dialog, no role is known.
            self.page.locator("nav[aria-label=breadcrumb]").first.scroll_into_view_if_needed()
            self.page.evaluate(HIDE_PATHS, re.escape(tempfile.gettempdir()))
            self.page.screenshot(path=Path(folder) / f"{picture}.png", animations="disabled")
