"""Rows in memory, at their public address; see `smmix.core.memory`."""

from smmix.core.memory import MemorySource, group_starts

__all__ = ["MemorySource", "group_starts"]
