# SPDX-License-Identifier: Apache-2.0
"""A real browser: Debian's chromium, through tests/web/driver.mjs.

Each Page is a window of its own with its own cookies.  Waits are conditions in the
page with a deadline, never a time.
"""

import itertools
import json
import os
import subprocess

from harness.world import TOP, Failed, run

FOLDER = TOP / "tests/web"


class Chromium:
    def __init__(self, log):
        if not (FOLDER / "node_modules/playwright-core").exists():
            # --ignore-scripts: nothing of it runs, and no browser is fetched
            run("npm", "ci", "--prefix", FOLDER, "--ignore-scripts", "--no-audit", "--no-fund")
        self._log = open(log, "ab")
        self._process = subprocess.Popen(
            ["node", FOLDER / "driver.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, text=True, cwd=FOLDER, env={**os.environ, "HOME": str(log.parent)})
        self._names = itertools.count(1)

    def ask(self, what, **args):
        self._process.stdin.write(json.dumps({"do": what, **args}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"the browser's driver ended: see {self._log.name}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{what} {args}: {answer['error']}")
        return answer["value"]

    def open(self, url, **how):
        return Page(self, f"page-{next(self._names)}", url, how)

    def said(self):
        """What pages wrote to their consoles since the last question."""
        return self.ask("said")

    def end(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._log.close()


class Page:
    def __init__(self, chromium, name, url, how):
        self._chromium, self.name = chromium, name
        self._ask("open", url=url, **how)

    def _ask(self, what, **args):
        return self._chromium.ask(what, page=self.name, **args)

    def eval(self, code):
        return self._ask("eval", code=code)

    def wait(self, code, **how):
        try:
            self._ask("wait", code=code, **how)
        except Failed as failure:
            seen = self.eval("document.body.innerText")
            said = "\n".join(self._chromium.said())
            raise Failed(f"waited for: {code}\n{failure}\nthe page shows:\n{seen}\n"
                         f"and said:\n{said}") from None

    def press(self, *keys):
        for key in keys:
            self._ask("press", key=key)

    def type(self, text):
        self._ask("type", text=text)

    def click(self, selector):
        self._ask("click", selector=selector)

    def shot(self, path):
        self._ask("shot", path=str(path))

    def offline(self, offline):
        self._ask("offline", offline=offline)

    def reload(self):
        self._ask("reload")

    @property
    def url(self):
        return self._ask("url")

    def close(self):
        self._ask("close")

    # ---- What is on it --------------------------------------------------------------

    def wait_text(self, text):
        self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    def wait_live(self):
        self.wait("document.querySelector('.link')?.dataset.state === 'good'")

    def rows(self):
        """What each row of the list says, in order."""
        return self.eval("[...document.querySelectorAll('.row')].map(row => row.textContent)")

    def ids(self):
        return self.eval("[...document.querySelectorAll('.row')].map(row => row.dataset.id)")
