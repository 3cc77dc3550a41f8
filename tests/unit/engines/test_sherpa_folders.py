"""Fetching from a real HTTP server on loopback that behaves as badly as networks do."""

import errno
import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parola.domain.errors import BadMessage, DiskFull, EngineFailed, NoEngine, NotFound
from parola.domain.vocabulary import language_tag
from parola.engines.sherpa_catalogue import CATALOGUE, Offer, find
from parola.engines.sherpa_fetching import fetch
from parola.engines.sherpa_folders import install, remove
from tests import tone_models

NAME = "sherpa-onnx-tones"


@dataclass
class Shelf:
    """What the server has, and how it misbehaves."""

    data: bytes
    breaks_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers break off."""

    ignores_range: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(shelf: Shelf) -> Iterator[Shelf]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shelf.asked.append(wanted := self.headers.get("Range", ""))
            if not self.path.endswith(".tar.bz2"):
                self.send_error(404)
                return
            start = 0 if shelf.ignores_range or not wanted else int(wanted[6:-1])
            if start >= len(shelf.data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(shelf.data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = shelf.data[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: shelf.breaks_after.pop(0)] if shelf.breaks_after else body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        shelf.url = f"http://127.0.0.1:{server.server_address[1]}/"
        try:
            yield shelf
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tone_models.write_transducer(tmp_path_factory.mktemp("made") / NAME)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:bz2") as tar:
        tar.add(folder, NAME)
    return packed.getvalue()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def offer(sha256: str = "") -> Offer:
    return Offer(NAME, ("en",), 1, "MIT", "none", "", sha256)


def quiet(_have: int, _total: int | None) -> None:
    return


def test_a_model_is_fetched_checked_and_installed(tmp_path: Path, archive: bytes) -> None:
    """It appears whole, and nothing else is left."""
    sha256 = hashlib.sha256(archive).hexdigest()
    with serving(Shelf(archive)) as shelf:
        model, found = install(offer(sha256), tmp_path, quiet, shelf.url)
    assert (model.folder, found) == (tmp_path / NAME, sha256)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == [NAME]
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_an_interrupted_download_goes_on(tmp_path: Path, archive: bytes) -> None:
    """Each connection asks for what is still missing."""
    with serving(Shelf(archive, breaks_after=[100, 200])) as shelf:
        install(offer(), tmp_path, quiet, shelf.url)
    assert shelf.asked == ["", "bytes=100-", "bytes=300-"]


def test_the_next_command_goes_on_too(tmp_path: Path, archive: bytes) -> None:
    """What came before the computer was switched off is not fetched again."""
    part = tmp_path / "part"
    part.write_bytes(archive[:500])
    with serving(Shelf(archive)) as shelf:
        fetch(f"{shelf.url}a.tar.bz2", part, "", quiet)
        assert part.read_bytes() == archive
        fetch(f"{shelf.url}a.tar.bz2", part, "", quiet)
    assert shelf.asked == ["bytes=500-", f"bytes={len(archive)}-"]


def test_a_server_that_knows_no_ranges_is_read_from_the_start(
    tmp_path: Path, archive: bytes
) -> None:
    """The beginning is not written twice."""
    part = tmp_path / "part"
    part.write_bytes(b"old")
    with serving(Shelf(archive, ignores_range=True)) as shelf:
        fetch(f"{shelf.url}a.tar.bz2", part, "", quiet)
    assert part.read_bytes() == archive


def test_a_wrong_checksum_is_refused_and_removed(tmp_path: Path, archive: bytes) -> None:
    """What was tampered with is neither unpacked nor kept."""
    with serving(Shelf(archive)) as shelf, pytest.raises(EngineFailed, match="SHA-256"):
        install(offer("0" * 64), tmp_path, quiet, shelf.url)
    assert not (tmp_path / NAME).exists()
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_offline_is_told_with_what_to_do(tmp_path: Path) -> None:
    """Nobody listens there: the sentence names the folder to fill by hand."""
    with pytest.raises(NoEngine, match="offline") as caught:
        install(offer(), tmp_path, quiet, "http://127.0.0.1:1/")
    assert str(tmp_path) in caught.value.message


def test_a_proxy_is_asked(tmp_path: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY counts: the host itself could not be reached."""
    monkeypatch.delenv("no_proxy")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(Shelf(archive)) as shelf:
        monkeypatch.setenv("http_proxy", shelf.url)
        fetch("http://models.invalid/a.tar.bz2", tmp_path / "part", "", quiet)
    assert (tmp_path / "part").read_bytes() == archive


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    """A name that upstream has taken away."""
    with serving(Shelf(b"")) as shelf, pytest.raises(NotFound):
        fetch(f"{shelf.url}gone", tmp_path / "part", "", quiet)


def test_a_full_disk_is_told_before_and_during(
    tmp_path: Path, archive: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too little room is seen before the first byte; a disk that fills up keeps what came."""
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with serving(Shelf(archive)) as shelf:
        with pytest.raises(DiskFull, match="still to come"):
            fetch(f"{shelf.url}a.tar.bz2", tmp_path / "part", "", quiet)
        monkeypatch.undo()
        monkeypatch.setenv("no_proxy", "127.0.0.1")

        def full(_have: int, _total: int | None) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(DiskFull, match="goes on from there"):
            fetch(f"{shelf.url}a.tar.bz2", tmp_path / "part", "", full)
    assert (tmp_path / "part").stat().st_size > 0


def test_a_folder_that_cannot_be_written_is_not_called_full(tmp_path: Path, archive: bytes) -> None:
    """Making room would not help: the sentence says what would."""

    def forbidden(_have: int, _total: int | None) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with serving(Shelf(archive)) as shelf, pytest.raises(EngineFailed, match="owns the folder"):
        fetch(f"{shelf.url}a.tar.bz2", tmp_path / "part", "", forbidden)


def packed(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:bz2") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        packed(("../outside.txt", b"x")),
        packed(("/tmp/outside.txt", b"x")),  # noqa: S108 - what must not be written
        packed((f"{NAME}/tokens.txt", b"x"), ("other/x", b"")),
        packed((f"{NAME}/tokens.txt", b"x")),
        b"<html>no archive</html>",
    ],
    ids=["traversal", "absolute", "two folders", "no model", "no archive"],
)
def test_a_wrong_archive_leaves_nothing(tmp_path: Path, data: bytes) -> None:
    """It is refused, removed, and has written nothing anywhere."""
    place = tmp_path / "models"
    with serving(Shelf(data)) as shelf, pytest.raises(EngineFailed):
        install(offer(), place, quiet, shelf.url)
    assert [path.name for path in place.rglob("*")] == [".downloads"]
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
    assert not Path("/tmp/outside.txt").exists()  # noqa: S108 - the same


def test_what_is_there_is_not_replaced_and_can_be_removed(tmp_path: Path, archive: bytes) -> None:
    """A model in use is never half exchanged."""
    with serving(Shelf(archive)) as shelf:
        install(offer(), tmp_path, quiet, shelf.url)
        with pytest.raises(BadMessage, match="there already"):
            install(offer(), tmp_path, quiet, shelf.url)
    remove(NAME, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".downloads"]


@pytest.mark.parametrize("name", ["..", ".downloads", "a/../b", "none"])
def test_only_models_are_removed(tmp_path: Path, name: str) -> None:
    """No name reaches another folder."""
    (tmp_path / ".downloads").mkdir()
    with pytest.raises(NotFound):
        remove(name, tmp_path)


def test_the_catalogue_is_whole() -> None:
    """Each offer says its language, licence and where its numbers come from; no name twice."""
    assert len({one.name for one in CATALOGUE}) == len(CATALOGUE)
    for one in CATALOGUE:
        assert one.languages
        assert one.licence
        assert bool(one.source) == ("%" in one.errors), "a figure has a source"
        assert one.source.startswith("https://") or one.errors == "none published"
        assert re.fullmatch(r"([0-9a-f]{64})?", one.sha256)
        assert one.size_mb is None or 10 < one.size_mb < 5000
        assert all(language_tag(language) == language for language in one.languages)
        assert find(one.name.removeprefix("sherpa-onnx-")) is one
