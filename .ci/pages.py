"""Look at the built documentation: .ci/pages.py <folder of HTML> [folder for screenshots].

Links within the pages lead somewhere, nothing is loaded from a network, and outputs show no warning, no path of this
machine and no type of NumPy. Ten pages are opened in a headless Chromium without a network, where there is one: their
pictures are there, their equations are set, nothing is cut off, and a screenshot of each is kept.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
LOOKED_AT = (
    "index get-started guide gallery pictures coming-from peers when-not uncertainty theory"  # ten pages
).split()
WIDTHS = 1400, 420
# What outputs and pages must not show; a path is one of this checkout, or of where it was built.
UNWANTED = {
    "a type of NumPy": r"np\.(?:float|int|str)_?\d*\(",
    "a path of this machine": rf"{re.escape(str(ROOT))}/|/root/|/home/\w+/|/tmp/\w+",
    "a warning": r'class="[^"]*\bstderr\b|\w+Warning: ',
}
LOOK = """<script>addEventListener("load", async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  const all = (what) => [...document.querySelectorAll(what)];
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const told = {
    "pictures that are missing": all("img").filter((one) => one.complete && !one.naturalWidth).map((one) => one.src),
    "equations that are not set": all(".math").filter((one) => !one.querySelector("mjx-container")).length,
    "lines that are cut off": all("article pre").filter((one) => one.scrollWidth > one.clientWidth + 1).length,
    "pixels beyond the page": Math.max(wide, 0),
  };
  const made = document.createElement("pre");
  made.id = "told";
  made.textContent = JSON.stringify(told);
  document.body.append(made);
});</script></body>"""


class Page(HTMLParser):
    """What a page links to, loads, and can be linked at."""

    def __init__(self, path):
        super().__init__()
        self.path, self.links, self.loads, self.names = path, set(), set(), set()
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        """Collect one element."""
        attrs = dict(attrs)
        self.names |= {attrs.get("id"), attrs.get("name")}
        if tag == "a" and attrs.get("href"):
            self.links.add(attrs["href"])
        loads = {"script": "src", "img": "src", "link": "href"}.get(tag)
        if loads and attrs.get(loads) and attrs.get("rel") not in ("canonical", "author", "next", "prev"):
            self.loads.add(attrs[loads])


def wrong_links(pages):
    """Links to files and places that are not there, and what would need a network."""
    for page in pages.values():
        for link in sorted(page.links | page.loads):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads and parts.scheme != "data":
                    yield f"{page.path.name} loads {link}"
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            if not target.exists():
                yield f"{page.path.name} links to {link}, which is not there"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
                yield f"{page.path.name} links to {link}: there is no such place"


def wrong_texts(pages):
    """What no page should show."""
    for page in pages.values():
        for what, pattern in UNWANTED.items():
            for match in re.finditer(pattern, page.text):
                around = page.text[max(match.start() - 60, 0) : match.end() + 60]
                yield f"{page.path.name} shows {what}: {around!r}"


def wrong_looks(folder, pictures):
    """What a browser finds wrong with ten pages."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("no Chromium: pages were not opened in a browser")
        return
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
        command += ["--virtual-time-budget=20000"]
        for name in LOOKED_AT:
            for width in WIDTHS:
                path = folder / f"{name}.looked-at.html"
                path.write_text((folder / f"{name}.html").read_text("utf-8").replace("</body>", LOOK), "utf-8")
                seen = [*command, f"--window-size={width},2000"]
                run = subprocess.run([*seen, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120)
                path.unlink()
                told = re.search(r'<pre id="told"[^>]*>(.*?)</pre>', run.stdout, re.DOTALL)
                if told is None:
                    yield f"{name} at {width} pixels: the browser says nothing"
                    continue
                for what, found in json.loads(unescape(told[1])).items():
                    if found:
                        yield f"{name} at {width} pixels: {what}: {found}"
            picture = pictures / f"{name}.png"
            page = (folder / f"{name}.html").resolve().as_uri()
            shot = [*command, f"--window-size={WIDTHS[0]},2000", f"--screenshot={picture}", page]
            subprocess.run(shot, capture_output=True, timeout=120)
            if not picture.exists() or picture.stat().st_size < 20_000:
                yield f"{name}: the screenshot is empty"
    print(f"opened {len(LOOKED_AT)} pages in a browser, at {' and '.join(map(str, WIDTHS))} pixels")


def main(folder, pictures=None):
    """Print what is wrong, and say so by the exit status."""
    folder = Path(folder).resolve()
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts}
    with tempfile.TemporaryDirectory() as own:
        pictures = Path(pictures or own).resolve()
        pictures.mkdir(parents=True, exist_ok=True)
        wrong = [*wrong_links(pages), *wrong_texts(pages), *wrong_looks(folder, pictures)]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(pages)} pages: links, texts and looks are right")


if __name__ == "__main__":
    main(*sys.argv[1:])
