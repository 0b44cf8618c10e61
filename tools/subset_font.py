"""`python -m tools.subset_font InterVariable.woff2`: makes the dashboard's font from the variable Inter of its authors.

It needs the commands `fonttools` and `pyftsubset` (the packages fonttools and brotli), which nothing else here needs. The subset keeps
Latin with all accents, currency signs, the arrows and marks that the page writes, and weights from 400 to 700. Accents that are written
apart from their letter are not in it: a browser joins them where a letter with the accent exists, and takes another font elsewhere. The
name of the file has the hash of its content, so browsers may keep it for ever.
"""

import argparse
import hashlib
import pathlib
import re
import subprocess
import tempfile
from typing import Final

from tools.processes import ROOT

FONTS: Final = ROOT / "broadcast_service/dashboard/fonts"
STYLE: Final = ROOT / "broadcast_service/dashboard/styles/theme.css"
PAGE: Final = ROOT / "broadcast_service/dashboard/index.html"
AXES: Final = ("opsz=14", "wght=400:700")
FEATURES: Final = "kern,tnum,calt,locl,cv11,ss03"
CHARACTERS: Final = (
    "U+0020-007E,U+00A0-017F,U+0218-021B,"  # Latin
    "U+2009,U+202F,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+2030,U+2032,U+2033,U+2039,U+203A,U+2044,"  # punctuation
    "U+20A0-20C0,U+2122,U+2212,U+2248,U+2260,U+2264,U+2265,"  # currencies, and signs of numbers
    "U+2190-2193,U+25B2,U+25BC,U+25C6,U+2318"  # arrows, marks and a key
)
REFERENCE: Final = re.compile(r"fonts/inter-[0-9a-f]*\.woff2")


def subset(source: pathlib.Path) -> bytes:
    """The font that the page needs; raises CalledProcessError where the source is not the variable Inter."""
    with tempfile.TemporaryDirectory() as directory:
        cut, made = pathlib.Path(directory, "cut.ttf"), pathlib.Path(directory, "made.woff2")
        subprocess.run(["fonttools", "varLib.instancer", "-q", "--no-recalc-timestamp", source, *AXES, "-o", cut], check=True)
        options = [f"--layout-features={FEATURES}", f"--unicodes={CHARACTERS}", "--name-IDs=*", "--no-hinting", "--drop-tables+=STAT"]
        subprocess.run(["pyftsubset", cut, f"--output-file={made}", "--flavor=woff2", *options], check=True)
        return made.read_bytes()


def name_of(font: bytes) -> str:
    """The name of the font's file."""
    return f"inter-{hashlib.sha256(font).hexdigest()[:10]}.woff2"


def main() -> None:
    """Writes the font, and its name into the style sheet and the page."""
    parser = argparse.ArgumentParser(description="Makes the dashboard's font.")
    parser.add_argument("source", type=pathlib.Path, help="InterVariable.woff2 or .ttf, of Inter 4")
    font = subset(parser.parse_args().source)
    for former in FONTS.glob("inter-*.woff2"):
        former.unlink()
    (FONTS / name_of(font)).write_bytes(font)
    for file in (STYLE, PAGE):
        file.write_text(REFERENCE.sub(f"fonts/{name_of(font)}", file.read_text()))
    print(f"{name_of(font)}: {len(font)} bytes")


if __name__ == "__main__":
    main()
