"""Remembers which device was listened to last, so that it need not be named again."""

import json
import os
from contextlib import suppress
from pathlib import Path


def default_path() -> Path:
    """Return where it is. Source: XDG Base Directory Specification 0.8, configuration."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "parola" / "listen.json"


def remembered_device(path: Path) -> str | None:
    """Return the name of the device, or None where none is remembered."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    device = fields.get("device") if isinstance(fields, dict) else None
    return device if isinstance(device, str) and device else None


def remember_device(path: Path, device: str) -> None:
    """Remember a device by what names it and no other; where that cannot be, do without."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"device": device}) + "\n", encoding="utf-8")


def forget_device(path: Path) -> None:
    """Remember none."""
    path.unlink(missing_ok=True)
