"""The contract of a family, at its public address; see `smmix.core.family`."""

from smmix.core.family import Derivatives, Family, Nuisance, Penalty, Working

__all__ = ["Derivatives", "Family", "Nuisance", "Penalty", "Working"]
