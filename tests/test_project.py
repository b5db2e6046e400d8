"""The files around the package agree with each other and with the rules of the project."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ssn3d"
PYTHON = r"```python\n(.*?)```"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE)
}


def requirements() -> list[Requirement]:
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for lines in lists for line in lines]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda each: each.name)
def test_every_requirement_is_locked_within_its_range(requirement):
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_every_locked_package_has_a_digest_and_no_host():
    blocks = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(blocks) == len(PINS)
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(
        r"http|index|find.links|file:| @ ", LOCK.replace("httpx", "").replace("httpcore", "")
    )


def test_torch_is_the_version_that_the_results_were_made_with():
    assert (PINS["torch"], PINS["torchvision"]) == (Version("2.11.0"), Version("0.26.0"))


def test_constraints_are_the_lock_without_digests():
    lines = (ROOT / "constraints.txt").read_text().split()
    assert lines == re.findall(r"^([\w.-]+==\S+)", LOCK, re.MULTILINE)


def test_conda_gets_the_same_python_and_the_same_pins():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, section = conda["dependencies"]
    assert (
        Version(python.removeprefix("python="))
        in Requirement(f"python{PROJECT['requires-python']}").specifier
    )
    assert section["pip"] == ["-c constraints.txt", "-e .[notebooks,test,site,imagenet]"]


def test_importing_ssn3d_loads_neither_torch_nor_anything_for_notebooks():
    heavy = "torch matplotlib ipywidgets IPython pandas distributed"
    code = f"import sys, ssn3d; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_loads_no_plotting_and_no_widgets():
    heavy = "matplotlib ipywidgets seaborn torchvision distributed"
    code = f"import sys, ssn3d.runs; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    import ssn3d

    assert all(getattr(ssn3d, name) is not None for name in ssn3d.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ssn3d.nonsense  # noqa: B018


def test_nothing_but_torch_draws_random_numbers():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text()
        assert not re.search(r"np\.random|^import random|from random import", source, re.MULTILINE)


def test_tracked_files_are_small_and_name_no_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\n")):
        path = ROOT / name
        if not path.exists():
            continue
        assert path.stat().st_size <= 2**20, f"{name} is over 1 MB"
        if path.suffix in {".py", ".md", ".ipynb", ".toml", ".yml", ".json"}:
            assert not re.search(r"[\"' =(](/home|/root|/tmp|/Users)/", path.read_text()), name


def test_the_readme_counts_the_verdicts_that_were_measured():
    kept = ["git", "show", "HEAD:figures/claims.md"]  # not a reader's own, on other processors
    committed = subprocess.run(kept, cwd=ROOT, capture_output=True, text=True)
    if committed.returncode:
        pytest.skip("not a git checkout with results")
    [counted] = re.findall(r"^Verdicts on .*$", committed.stdout, re.MULTILINE)
    assert counted in " ".join((ROOT / "README.md").read_text().split())


def test_the_readme_is_read_in_one_sitting():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_links_between_pages_lead_somewhere():
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), target


def test_every_departure_from_the_paper_is_listed():
    listed = (ROOT / "docs" / "differences.md").read_text()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if "Not in the paper:" in path.read_text():
            assert f"`{name}`" in listed, (
                f"{name} departs from the paper, docs/differences.md is silent"
            )


def test_python_in_the_documentation_runs():
    pages = (ROOT / "README.md", ROOT / "docs" / "code.md")
    code = [each for page in pages for each in re.findall(PYTHON, page.read_text(), re.DOTALL)]
    assert len(code) >= len(pages)
    for each in code:
        exec(each, {})
