"""Renew the pictures of the shipped flows and the editors' schema: `.venv/bin/python docs/flows.py`.

graphviz and a Chinese font are needed: `apt-get install graphviz fonts-noto-cjk`.
`tests/unit/test_docs_flows.py` fails when a picture was made from another source, or the schema differs.
"""

from __future__ import annotations

from pathlib import Path

from ivr.drawing.graphviz import checksum_in, checksum_of, dot_of, render
from ivr.drawing.picture import picture_of
from ivr.hearing import texts_of
from ivr.loader import PARTS, SHIPPED, shipped
from ivr.schema import schema_text

IMAGES = Path(__file__).parent / "images" / "flows"
SCHEMA = Path(__file__).parent / "reference" / "flow.schema.json"


def sources() -> dict[Path, str]:
    """Return each picture's file and its source; parts are folded, so each fits a page."""
    found = {}
    for name in (*SHIPPED, *PARTS):
        flow = shipped(name)
        found[IMAGES / f"{name}.svg"] = dot_of(picture_of(flow, texts_of(flow.language), folded=True))
    return found


def is_current(file: Path, dot: str) -> bool:
    """Tell whether a picture was made from this source."""
    return file.exists() and checksum_in(file.read_text(encoding="utf-8")) == checksum_of(dot)


def main() -> None:
    """Write what is out of date."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for file, dot in sources().items():
        if not is_current(file, dot):
            lines = render(dot, "svg").decode().splitlines()
            file.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")
    for stale in set(IMAGES.glob("*.svg")) - sources().keys():
        stale.unlink()
    SCHEMA.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
