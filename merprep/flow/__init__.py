"""Optical flow of micro-motion, and the strain that follows from it."""

from merprep.flow.strain import strain

__all__ = ["strain"]
