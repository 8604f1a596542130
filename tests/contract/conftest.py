"""Connections for tests of frames."""

from __future__ import annotations
