"""What runs a stage over all clips: ingest, verify, align, spot, temporal, flow, import, export, merge."""

from merprep.stages.align import align
from merprep.stages.clean import clean
from merprep.stages.exports import export
from merprep.stages.flow import flow
from merprep.stages.imports import import_htnet_features
from merprep.stages.ingest import IngestResult, ingest
from merprep.stages.merge import MergeResult, merge
from merprep.stages.shards import align_shard, flow_shard
from merprep.stages.spot import spot
from merprep.stages.temporal import read_temporal_config, temporal
from merprep.stages.verify import VerifyResult, verify

__all__ = [
    "IngestResult",
    "MergeResult",
    "VerifyResult",
    "align",
    "align_shard",
    "clean",
    "export",
    "flow",
    "flow_shard",
    "import_htnet_features",
    "ingest",
    "merge",
    "read_temporal_config",
    "spot",
    "temporal",
    "verify",
]
