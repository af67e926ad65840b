"""What runs a stage over all clips: ingest, align, flow, import."""

from merprep.stages.imports import import_htnet_features
from merprep.stages.ingest import IngestResult, ingest

__all__ = ["IngestResult", "import_htnet_features", "ingest"]
