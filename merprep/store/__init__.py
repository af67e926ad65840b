"""Files on disk: the workspace, the manifest, feature files, and what they say about themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from merprep.lazy import lazy_names

if TYPE_CHECKING:
    from merprep.store.features import (
        ClipFeatures,
        FeatureFile,
        FeatureHeader,
        RegionSet,
        open_features,
        write_features,
    )
    from merprep.store.locks import waiting_for_others, writing
    from merprep.store.manifest import Manifest, read_manifest, read_manifest_or_empty, write_manifest
    from merprep.store.mosaics import mosaic
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
    "mosaic",
    "open_features",
    "read_manifest",
    "read_manifest_or_empty",
    "waiting_for_others",
    "write_features",
    "write_manifest",
    "writing",
    "written_whole",
]

__getattr__ = lazy_names(
    __name__,
    {
        **dict.fromkeys(
            ("ClipFeatures", "FeatureFile", "FeatureHeader", "RegionSet", "open_features", "write_features"), "features"
        ),
        **dict.fromkeys(("Manifest", "read_manifest", "read_manifest_or_empty", "write_manifest"), "manifest"),
        "Parts": "parts",
        **dict.fromkeys(("waiting_for_others", "writing"), "locks"),
        "mosaic": "mosaics",
        **dict.fromkeys(("Workspace", "written_whole"), "workspace"),
    },
)
