"""The one place that wires doors to services."""

from __future__ import annotations
