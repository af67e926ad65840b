"""What runs a stage over all clips: ingest, verify, align, spot, flow, import, export."""

from merprep.stages.align import align
from merprep.stages.exports import export
from merprep.stages.flow import flow
from merprep.stages.imports import import_htnet_features
from merprep.stages.ingest import IngestResult, ingest
from merprep.stages.spot import spot
from merprep.stages.verify import VerifyResult, verify

__all__ = [
    "IngestResult",
    "VerifyResult",
    "align",
    "export",
    "flow",
    "import_htnet_features",
    "ingest",
    "spot",
    "verify",
]
