"""Checks the built site: what pages load is part of it, and so is what they link to.

    python3 check.py DIRECTORY
"""

import pathlib
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself. A link that a person follows may lead elsewhere.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.anchors.update(v for k, v in attributes if k in ("id", "name") and v)
        if tag in LOADED and a.get(LOADED[tag]):
            self.loads.append(a[LOADED[tag]])
        elif tag == "link" and a.get("href") and a.get("rel") not in ("canonical", "next", "prev", "edit"):
            self.loads.append(a["href"])
        elif tag == "a" and a.get("href"):
            self.links.append(a["href"])


def main(root):
    pages = {f: Page(f.read_text(encoding="utf-8")) for f in root.rglob("*.html")}
    mistakes = []
    for file, page in pages.items():
        name = file.relative_to(root)
        for url in page.loads:
            if urlsplit(url).netloc:
                mistakes.append(f"{name} loads {url}, which is elsewhere")
        for url in page.loads + page.links:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                continue
            if name.name == "404.html" and parts.path.startswith("/"):
                continue
            at = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if at.is_dir():
                at = at / "index.html"
            if not at.is_file():
                mistakes.append(f"{name} leads to {url}, which is not there")
            elif parts.fragment and at in pages and unquote(parts.fragment) not in pages[at].anchors:
                mistakes.append(f"{name} leads to {url}, which has no such heading")
    for css in root.rglob("*.css"):
        if "url(http" in css.read_text(encoding="utf-8"):
            mistakes.append(f"{css.relative_to(root)} loads something from elsewhere")
    print(f"site: {len(pages)} pages")
    for m in sorted(set(mistakes)):
        print("  -", m)
    return 1 if mistakes or len(pages) < 30 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
