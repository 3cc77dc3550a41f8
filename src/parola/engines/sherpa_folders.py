"""Installs and removes model folders, each whole or not at all; unpacks nothing outside of them."""

import shutil
import tarfile
import tempfile
from pathlib import Path

from parola.domain.errors import BadMessage, DiskFull, EngineFailed, NotFound
from parola.engines.sherpa_catalogue import RELEASES, Offer
from parola.engines.sherpa_fetching import Progress, fetch
from parola.engines.sherpa_model import Model, read_model

MAX_UNPACKED = 8 << 30
"""Bytes. The largest archive upstream has unpacks to less than 3 GB."""

MAX_MEMBERS = 10_000

_DOWNLOADS = ".downloads"


def install(
    offer: Offer, folder: Path, progress: Progress, releases: str = RELEASES
) -> tuple[Model, str]:
    """Fetch an offer into a folder of models; return it and its archive's SHA-256.

    Raises:
        BadMessage: it is there already.
        NoEngine, NotFound, DiskFull, EngineFailed: see `fetch` and `unpack`.
    """
    if (folder / offer.name).exists():
        raise BadMessage(f"{offer.name} is there already, in {folder}; remove it first.")
    part = folder / _DOWNLOADS / f"{offer.archive}.part"
    found = fetch(releases + offer.archive, part, offer.sha256, progress)
    try:
        model = unpack(part, folder, offer.name)
    except EngineFailed:
        part.unlink()
        raise
    part.unlink()
    return model, found


def unpack(archive: Path, folder: Path, name: str) -> Model:
    """Unpack an archive's one folder as `name`; it appears when it is whole and was looked at.

    Raises:
        EngineFailed: it is no archive of a usable model, or it reaches out of its folder.
        DiskFull: there is no room.
    """
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as scratch:
        try:
            with tarfile.open(archive) as tar:
                _look_through(tar, archive)
                tar.extractall(scratch, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise EngineFailed(f"{archive.name} cannot be unpacked safely: {error}.") from error
        except OSError as error:
            if error.errno is None:  # bz2's word for garbage
                raise EngineFailed(f"{archive.name} cannot be unpacked: {error}.") from error
            raise DiskFull(f"{archive.name} cannot be unpacked: {error.strerror}.") from error
        inner = Path(scratch) / name
        roots = [path for path in Path(scratch).iterdir() if path.is_dir()]
        if not inner.is_dir():
            if len(roots) != 1:
                raise EngineFailed(f"{archive.name} does not hold the one folder of a model.")
            roots[0].rename(inner)
        model = read_model(inner)
        inner.rename(folder / name)
    return read_model(folder / model.name)


def _look_through(tar: tarfile.TarFile, archive: Path) -> None:
    """Refuse an archive that would fill the disk."""
    size = 0
    for count, member in enumerate(tar, start=1):
        size += member.size
        if count > MAX_MEMBERS or size > MAX_UNPACKED:
            raise EngineFailed(f"{archive.name} is too large to be a model.")


def remove(name: str, folder: Path) -> None:
    """Remove a model's folder.

    Raises:
        NotFound: there is none of that name.
    """
    path = folder / name
    if Path(name).name != name or name.startswith(".") or not path.is_dir():
        raise NotFound(f"There is no model {name} in {folder}; see `parola models list`.")
    with tempfile.TemporaryDirectory(prefix=".removing-", dir=folder) as scratch:
        # At once: a server that starts meanwhile sees all of it or nothing.
        path.rename(Path(scratch) / name)
        shutil.rmtree(scratch, ignore_errors=True)
