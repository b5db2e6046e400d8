"""Build the site from docs/, figures/ and the notebooks, executed where they were: `make site`."""

import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns
from tempfile import TemporaryDirectory

from sphinx.cmd.build import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "data/README.md", "tests/README.md")
"""Pages of the project beside docs/."""


def build(target: Path) -> int:
    """Write the site.

    Args:
        target: folder for its pages.

    Returns:
        Sphinx's exit status: 0 if there was not even a warning.
    """
    with TemporaryDirectory() as scratch:
        source = Path(scratch)
        unwanted = ignore_patterns("executed", "__pycache__", "conf.py")
        for folder in ("docs", "figures", "notebooks", "tests/benchmarks"):
            copytree(ROOT / folder, source / folder, ignore=unwanted)
        for page in PAGES:
            (source / page).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / page, source / page)
        for file in ("docs/conf.py", "codecheck.yml"):
            copy(ROOT / file, source)
        front = source / "docs" / "index.md"
        (source / "index.md").write_text(front.read_text().replace("](../", "]("))
        front.unlink()
        for notebook in (ROOT / "figures" / "executed").glob("*.ipynb"):
            text = notebook.read_text().replace("](../", "](../figures/")
            (source / "notebooks" / notebook.name).write_text(text)
        return main(["-q", "-W", "--keep-going", "-b", "html", str(source), str(target)])


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
