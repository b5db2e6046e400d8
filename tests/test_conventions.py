"""What tools and people expect of a reproducible paper's repository."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import ssn3d
from ssn3d.data import project_folder
from ssn3d.reproduce import results

ROOT = project_folder()


@pytest.fixture(scope="module")
def codecheck() -> dict:
    return yaml.safe_load((ROOT / "codecheck.yml").read_text())


def test_everything_that_is_to_be_checked_exists_and_says_what_it_is(codecheck):
    for entry in codecheck["manifest"]:
        assert (ROOT / entry["file"]).is_file(), entry
        assert entry["comment"].strip()


def test_every_result_is_to_be_checked(codecheck):
    listed = {Path(entry["file"]).name for entry in codecheck["manifest"]}
    for name, entry in results.read(ROOT / "figures").items():
        assert listed & set(entry["sha256"]), f"no file of {name} is in codecheck.yml"


def test_it_is_the_same_paper_that_is_cited(codecheck):
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    assert codecheck["paper"]["title"] == cited["title"]
    names = [f"{one['given-names']} {one['family-names']}" for one in cited["authors"]]
    assert [one["name"] for one in codecheck["paper"]["authors"]] == names


def test_the_citation_is_valid():
    schema = ("--builtin-schema", "vendor.citation-file-format")
    command = [sys.executable, "-m", "check_jsonschema", *schema, str(ROOT / "CITATION.cff")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_is_the_same_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited == built == ssn3d.__version__ == newest[1]
