"""Defects that somebody could write into the product, in exact changes, and the round that catches each.

A suite that passes proves nothing until it was seen to fail. `scripts/chaos --bite` applies each to a copy
of the product, which only the site's own processes run from, and plays its round; `--healthy` plays the
same rounds without them. Much is kept by two guards: a defect of several changes breaks all of them, and
its words say which.
"""

from __future__ import annotations

from defects import line, outbound, record
from defects.base import Change as Change
from defects.base import Defect as Defect

DEFECTS: dict[str, Defect] = {
    defect.name: defect for kind in (record, outbound, line) for defect in kind.DEFECTS
}
