"""Packs the extension: `python extension/tools/pack.py` writes two archives into dist/ and prints their paths.

`studio-pulse-extension-<version>.zip` is for the store and for studios. `…-development.zip` also reads the sites' test beds and the demo
page of `make run`, for developers and reviewers. With `--endpoint https://pulse.example.com` the manifest asks for that
address from the start, for a studio that installs by policy: Chrome grants it without a question. With `--key KEY.pem`, the key that signs
the .crx, the id that Chrome derives from it is printed and `updates.xml` is written, which Chrome asks for updates.

The version is manifest.json's, which a test holds to that of pyproject.toml. The same files give the same bytes on any machine: entries are
sorted and stored uncompressed with a fixed time. Only the files listed here are shipped.
"""

import argparse
import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

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
DEMO_PAGES = ("http://127.0.0.1/demo/*", "http://localhost/demo/*")
TEST_BEDS = ("https://testbed.cb.dev/*",)
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name


def files() -> list[Path]:
    """Everything that is shipped, in the order of the archive."""
    found = [path for pattern in SHIPPED for path in EXTENSION.glob(pattern)]
    return sorted(found, key=lambda path: path.relative_to(EXTENSION).as_posix())


def origin_of(endpoint: str) -> str:
    """Scheme and host of an address; ends the program where it is none."""
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.netloc:
        raise SystemExit(f"an endpoint looks like https://pulse.example.com, not {endpoint}")
    return f"https://{parts.netloc}"


def manifest_for(endpoint: str | None, homepage: str | None, *, development: bool) -> bytes:
    """The manifest of one archive."""
    manifest: dict[str, Any] = json.loads((EXTENSION / "manifest.json").read_bytes())
    if not development:
        manifest["host_permissions"] = [pattern for pattern in manifest["host_permissions"] if pattern not in TEST_BEDS]
        for script in manifest["content_scripts"]:
            script["matches"] = [pattern for pattern in script["matches"] if pattern not in TEST_BEDS]
    if endpoint is not None:
        manifest["host_permissions"].append(f"{origin_of(endpoint)}/*")
    if home := homepage or (origin_of(endpoint) if endpoint else None):
        manifest["homepage_url"] = home
    if development:
        manifest["host_permissions"] += ["http://127.0.0.1/*", "http://localhost/*"]
        manifest["content_scripts"][0]["matches"] += DEMO_PAGES
        manifest["version_name"] = f"{manifest['version']} development"
    return json.dumps(manifest, indent=2, ensure_ascii=False).encode()


def content_of(path: Path, *, development: bool) -> bytes:
    """A file as it is shipped: development archives know the demo page as well."""
    content = path.read_bytes()
    is_adapters = path == EXTENSION / "content" / "adapters.js"
    return content + (EXTENSION / "demo" / "adapter.js").read_bytes() if development and is_adapters else content


def pack(folder: Path, endpoint: str | None = None, homepage: str | None = None, *, development: bool = False) -> Path:
    """Writes one archive into the folder and returns where it is."""
    manifest = manifest_for(endpoint, homepage, development=development)
    version = json.loads(manifest)["version"]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"studio-pulse-extension-{version}{'-development' if development else ''}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in files():
            entry = zipfile.ZipInfo(path.relative_to(EXTENSION).as_posix(), EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, manifest if entry.filename == "manifest.json" else content_of(path, development=development))
    return target


def id_of(key: Path) -> str:
    """The extension's id: Chrome derives it from the public half of the key that signs the archive."""
    command = ["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"]
    try:
        public = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 the command is written here
    except (OSError, subprocess.CalledProcessError):
        raise SystemExit(f"{key} cannot be read as a private key by openssl") from None
    return "".join(chr(ord("a") + int(digit, 16)) for digit in hashlib.sha256(public).hexdigest()[:32])


def updates(extension_id: str, version: str, endpoint: str) -> str:
    """The update manifest that Chrome asks for."""
    crx = f"{endpoint.rstrip('/')}/extension/studio-pulse-extension.crx"
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        "<gupdate xmlns='http://www.google.com/update2/response' protocol='2.0'>\n"
        f"  <app appid='{extension_id}'>\n"
        f"    <updatecheck codebase={quoteattr(crx)} version='{version}'/>\n"
        "  </app>\n"
        "</gupdate>\n"
    )


def main() -> None:
    """Writes the archives and prints where they are."""
    parser = argparse.ArgumentParser(description="Pack the extension.")
    parser.add_argument("folder", nargs="?", type=Path, default=EXTENSION.parent / "dist")
    parser.add_argument("--endpoint", help="an address the extension may send to without asking")
    parser.add_argument("--homepage", help="the page that the extension's details link to (default: the endpoint)")
    parser.add_argument("--key", type=Path, help="the private key (PEM) that signs the .crx: prints the id, writes updates.xml")
    arguments = parser.parse_args()
    if arguments.key and not arguments.endpoint:
        raise SystemExit("updates.xml names where the .crx is: give --endpoint too")
    print(pack(arguments.folder, arguments.endpoint, arguments.homepage))
    print(pack(arguments.folder, arguments.endpoint, arguments.homepage, development=True))
    if arguments.key:
        extension_id = id_of(arguments.key)
        target = arguments.folder / "updates.xml"
        version = json.loads((EXTENSION / "manifest.json").read_bytes())["version"]
        target.write_text(updates(extension_id, version, arguments.endpoint))
        print(target)
        print(f"id {extension_id}")


if __name__ == "__main__":
    main()
