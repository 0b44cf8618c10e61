"""Packs the extension: `python extension/tools/pack.py` writes dist/studio-pulse-extension-<version>.zip and prints its path.

With `--endpoint https://pulse.example.com` the manifest asks for that address from the start, for a studio that installs by policy:
Chrome grants it without a question.

The version is manifest.json's, which a test holds to that of pyproject.toml. The same files give the same bytes on any machine: entries are
sorted and stored uncompressed with a fixed time. What is not listed here is not shipped.
"""

import argparse
import json
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

EXTENSION = Path(__file__).resolve().parent.parent
SHIPPED = (
    "manifest.json",
    "managed_schema.json",
    "_locales/*/messages.json",
    "content/*.js",
    "worker/*.js",
    "ui/*.html",
    "ui/*.css",
    "ui/*.js",
    "icons/*.png",
    "icons/icon.svg",
)
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name


def files() -> list[Path]:
    """Everything that is shipped, in the order of the archive."""
    found = [path for pattern in SHIPPED for path in EXTENSION.glob(pattern)]
    return sorted(found, key=lambda path: path.relative_to(EXTENSION).as_posix())


def manifest_for(endpoint: str | None) -> bytes:
    """The manifest as it is, or with the permission to send to one endpoint."""
    original = (EXTENSION / "manifest.json").read_bytes()
    if endpoint is None:
        return original
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.netloc:
        raise SystemExit(f"an endpoint looks like https://pulse.example.com, not {endpoint}")
    manifest = json.loads(original)
    manifest["host_permissions"] = [f"https://{parts.netloc}/*"]
    return json.dumps(manifest, indent=2, ensure_ascii=False).encode()


def pack(folder: Path, endpoint: str | None = None) -> Path:
    """Writes the archive into the folder and returns where it is."""
    manifest = manifest_for(endpoint)
    version = json.loads(manifest)["version"]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"studio-pulse-extension-{version}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in files():
            entry = zipfile.ZipInfo(path.relative_to(EXTENSION).as_posix(), EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, manifest if entry.filename == "manifest.json" else path.read_bytes())
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pack the extension.")
    parser.add_argument("folder", nargs="?", type=Path, default=EXTENSION.parent / "dist")
    parser.add_argument("--endpoint", help="an address the extension may send to without asking")
    arguments = parser.parse_args()
    print(pack(arguments.folder, arguments.endpoint))
