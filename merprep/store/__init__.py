"""Files on disk: the workspace, the manifest, feature files, and what they say about themselves."""

from merprep.store.features import (
    ClipFeatures,
    FeatureFile,
    FeatureHeader,
    RegionSet,
    open_features,
    write_features,
)
from merprep.store.manifest import Manifest, read_manifest, read_manifest_or_empty, write_manifest
from merprep.store.parts import Parts
from merprep.store.workspace import Workspace, written_whole

__all__ = [
    "ClipFeatures",
    "FeatureFile",
    "FeatureHeader",
    "Manifest",
    "Parts",
    "RegionSet",
    "Workspace",
    "open_features",
    "read_manifest",
    "read_manifest_or_empty",
    "write_features",
    "write_manifest",
    "written_whole",
]
