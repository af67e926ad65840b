"""What runs a stage over all clips: ingest, align, flow, import."""

from merprep.stages.align import align
from merprep.stages.flow import flow
from merprep.stages.imports import import_htnet_features
from merprep.stages.ingest import IngestResult, ingest

__all__ = ["IngestResult", "align", "flow", "import_htnet_features", "ingest"]
