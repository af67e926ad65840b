"""Optical flow of micro-motion, and the strain that follows from it."""

from merprep.flow.base import Estimator
from merprep.flow.grey import to_grey
from merprep.flow.pairs import estimate_each, estimate_pairs
from merprep.flow.registry import estimate, estimator, methods
from merprep.flow.strain import strain

__all__ = ["Estimator", "estimate", "estimate_each", "estimate_pairs", "estimator", "methods", "strain", "to_grey"]
