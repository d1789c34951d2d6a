"""What pages have to be told for the site.

Links that lead out of docs/ lead to the repository: there they are relative, so that they
work and are tested. The name of a file behind the language of a block of code is its title.
"""

import posixpath
import re

FENCE = re.compile(r"^(\s*```)(\w+) ([^\s=]+)$", re.MULTILINE)
LINK = re.compile(r"(\]\()((?:\.\./)+[^)\s]+)(\))")


def on_page_markdown(markdown, page, config, **_):
    here = posixpath.dirname(page.file.src_uri)

    def lead(match):
        target = match.group(2)
        path = posixpath.normpath(posixpath.join(here, target))
        if not path.startswith("../"):
            return match.group(0)
        kind = "blob" if re.search(r"\.\w+(#.*)?$", path) else "tree"
        return f"{match.group(1)}{config.repo_url}/{kind}/main/{path[3:]}{match.group(3)}"

    return FENCE.sub(r'\1\2 title="\3"', LINK.sub(lead, markdown))
