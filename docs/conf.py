"""How Sphinx builds the site, see build.py.  Nothing is executed, no page asks another host."""

import json
from pathlib import Path

import yaml

project = "ssn3d"
html_title = "SSN3D, reproduced"
copyright = "the ssn3d developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx-mathjax-offline"]
FIGURES = Path(__file__).parent / "figures"  # build.py lays this file beside them
# tables are shown on the page of results
tables = [f"figures/{path.name}" for path in FIGURES.glob("*.md") if path.stem != "claims"]
exclude_patterns = tables
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_favicon = "docs/static/icon.svg"
html_static_path = ["docs/static"]
html_css_files = ["site.css"]
html_theme = "furo"
html_theme_options = {"navigation_with_keys": True}
suppress_warnings = [
    "myst.xref_missing"
]  # claims.md has anchors in HTML; tests/browser follows all
autodoc_typehints = "description"
autodoc_member_order = "bysource"


def results(app, page: str, source: list[str]) -> None:
    """On the page of results: every picture, with its notebook and the runs that it shows."""
    if page != "docs/results":
        return
    entries = json.loads((FIGURES / "results.json").read_text()).items()
    listed = yaml.safe_load((FIGURES.parent / "codecheck.yml").read_text())["manifest"]
    comments = {Path(one["file"]).name: one["comment"] for one in listed}
    for name, entry in sorted(entries, key=lambda item: item[1]["notebook"]):
        if name == "claims":  # which have a page of their own
            continue
        files, runs = sorted(entry["sha256"]), entry["runs"]
        title = "; ".join(comments[file] for file in files if file in comments)
        source[0] += (
            f"\n## {title}\n\nFrom [{entry['notebook']}](../notebooks/{entry['notebook']}.ipynb), "
            f"{len(runs)} run{'s' * (len(runs) != 1)}, scale {entry['scale']}.\n"
        )
        for file in files:
            if file.endswith(".png"):
                source[0] += f"\n![{file}](../figures/{file})\n"
            if f"figures/{file}" in tables:
                source[0] += f"\n{(FIGURES / file).read_text()}\n"
        names = "".join(f"<li><code>{run}</code></li>" for run in runs)
        source[0] += f"\n<details><summary>The runs</summary><ul>{names}</ul></details>\n"


def setup(app) -> None:
    """Called by Sphinx."""
    app.connect("source-read", results)
