"""Build the site of docs/, figures/ and the notebooks, executed where they were: `make site`."""

import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory

from sphinx.cmd.build import main

ROOT = Path(__file__).resolve().parents[1]


def build(target: Path) -> int:
    """Write the site.

    Args:
        target: folder for its pages.

    Returns:
        Sphinx's exit status: 0 if there was not even a warning.
    """
    with TemporaryDirectory() as scratch:
        source = Path(scratch) / "docs"
        copytree(ROOT / "docs", source)
        copytree(ROOT / "figures", source / "figures", ignore=ignore_patterns("executed"))
        for notebooks in ("notebooks", "figures/executed"):
            copytree(ROOT / notebooks, source / "notebooks", dirs_exist_ok=True)
        for notebook in (ROOT / "figures" / "executed").glob("*.ipynb"):
            text = notebook.read_text().replace("](../", "](../figures/")
            (source / "notebooks" / notebook.name).write_text(text)
        return main(["-q", "-W", "--keep-going", "-b", "html", str(source), str(target)])


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
