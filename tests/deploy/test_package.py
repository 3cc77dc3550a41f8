"""What `make lambda` packs is all that the functions need, and nothing else."""

import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.stand_ins import ROOT

PACK = runpy.run_path(str(ROOT / "scripts" / "lambda-package"))["pack"]


MODULES = (
    "parola/__init__.py",
    "parola/wire/__init__.py",
    "parola/wire/table_calls.py",
    "parola/wire/table_rows.py",
    "parola/analysts/__init__.py",
    "parola/analysts/intent.json",
    "parola/analysts/local.py",
    "parola/analysts/words/en.tsv",
    "parola/analysts/words/it.tsv",
    "parola/domain/__init__.py",
    "parola/domain/intent.py",
    "parola/domain/intent_words.py",
    "parola/domain/sentiment.py",
    "parola/domain/sentiment_words.py",
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The zip file, as `make lambda` writes it."""
    target = tmp_path / "dist" / "parola-lambda.zip"
    PACK(target)
    return target


def test_the_package_holds_the_functions_and_their_modules(package: Path) -> None:
    """Every file is the repository's own, readable by all; none is there that is not needed."""
    sources = {
        "dynamodb_client.py": "deploy/aws/lambda/dynamodb_client.py",
        "finals_to_table.py": "deploy/aws/lambda/finals_to_table.py",
        "table_to_mood.py": "deploy/aws/lambda/table_to_mood.py",
        **{name: f"src/{name}" for name in MODULES},
    }
    with zipfile.ZipFile(package) as opened:
        assert sorted(opened.namelist()) == sorted(sources)
        for entry in opened.infolist():
            assert opened.read(entry) == (ROOT / sources[entry.filename]).read_bytes()
            assert entry.external_attr >> 16 & 0o777 == 0o644


def test_the_same_sources_make_the_same_file(package: Path, tmp_path: Path) -> None:
    """So that a deployment changes only when a function does."""
    again = tmp_path / "again.zip"
    PACK(again)
    assert again.read_bytes() == package.read_bytes()


RUNS = (
    (
        (
            "import finals_to_table\n"
            "event = {'Records': [{'messageId': 'm', 'body': 'poison'}]}\n"
            "print(finals_to_table.keep(event, None))"
        ),
        "{'batchItemFailures': [{'itemIdentifier': 'm'}]}\n",
    ),
    (
        (
            "import json, table_to_mood\n"
            "body = json.dumps({'language': 'it-IT', 'text': 'grazie mille'})\n"
            "image = {'kind': {'S': 'segment'}, 'body': {'S': body}, 'rid': {'S': 'r'}}\n"
            "change = {'NewImage': image, 'SequenceNumber': '1'}\n"
            "record = {'eventName': 'INSERT', 'dynamodb': change}\n"
            "write = lambda image, values: print(values[':label'], values[':intent'])\n"
            "print(table_to_mood.read_all({'Records': [record]}, write))"
        ),
        "{'S': 'positive'} {'S': 'thanks'}\n{'batchItemFailures': []}\n",
    ),
)


@pytest.mark.parametrize(("program", "said"), RUNS, ids=["finals_to_table", "table_to_mood"])
def test_a_function_runs_from_its_package_alone(
    package: Path, tmp_path: Path, program: str, said: str
) -> None:
    """Unpacked as Lambda does it, without this repository and without boto3, which is Lambda's."""
    with zipfile.ZipFile(package) as opened:
        opened.extractall(tmp_path / "task")
    program = "import sys; sys.path.insert(0, sys.argv[1])\n" + program
    command = [sys.executable, "-I", "-S", "-c", program, str(tmp_path / "task")]
    run = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    assert run.stdout == said
