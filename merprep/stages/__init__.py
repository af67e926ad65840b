"""What runs a stage over all clips: ingest, align, flow, import."""

from merprep.stages.imports import import_htnet_features

__all__ = ["import_htnet_features"]
