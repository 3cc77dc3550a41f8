"""What `make lambda` packs is all that the function needs, and nothing else."""

import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.stand_ins import ROOT

PACK = runpy.run_path(str(ROOT / "scripts" / "lambda-package"))["pack"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The zip file, as `make lambda` writes it."""
    target = tmp_path / "dist" / "parola-lambda.zip"
    PACK(target)
    return target


def test_the_package_holds_the_function_and_its_modules(package: Path) -> None:
    """Every file is the repository's own, readable by all; none is there that is not needed."""
    sources = {
        "finals_to_table.py": "deploy/aws/lambda/finals_to_table.py",
        "parola/__init__.py": "src/parola/__init__.py",
        "parola/wire/__init__.py": "src/parola/wire/__init__.py",
        "parola/wire/table_rows.py": "src/parola/wire/table_rows.py",
    }
    with zipfile.ZipFile(package) as opened:
        assert sorted(opened.namelist()) == sorted(sources)
        for entry in opened.infolist():
            assert opened.read(entry) == (ROOT / sources[entry.filename]).read_bytes()
            assert entry.external_attr >> 16 & 0o777 == 0o644


def test_the_same_sources_make_the_same_file(package: Path, tmp_path: Path) -> None:
    """So that a deployment changes only when the function does."""
    again = tmp_path / "again.zip"
    PACK(again)
    assert again.read_bytes() == package.read_bytes()


def test_the_function_runs_from_its_package_alone(package: Path) -> None:
    """Without this repository and without boto3, which is Lambda's own: it takes poison apart."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import finals_to_table\n"
        "event = {'Records': [{'messageId': 'm', 'body': 'poison'}]}\n"
        "print(finals_to_table.keep(event, None))"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(package)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    assert run.stdout == "{'batchItemFailures': [{'itemIdentifier': 'm'}]}\n"
