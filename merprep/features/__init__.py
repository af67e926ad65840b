"""From flow to what a network is fed: named channels at a size, regions, mosaics, normalisation."""

from merprep.features.channels import channel_names, channels_of, shrunk, unit_of
from merprep.features.config import FlowConfig
from merprep.features.flow_presets import flow_preset, flow_presets
from merprep.features.points import FALLBACK_POINTS_28, POINT_NAMES, fallback_points, five_points
from merprep.features.region_sets import (
    RegionBox,
    RegionTable,
    anatomical_table,
    cut_regions,
    region_boxes,
    region_table,
    region_tables,
)
from merprep.features.regions import (
    ANATOMICAL,
    PUBLISHED,
    REGION_NAMES,
    anatomical_boxes,
    cut_anatomical,
    cut_published,
    region_geometry,
)
from merprep.features.resize import area_average, area_weights
from merprep.store.mosaics import mosaic

__all__ = [
    "ANATOMICAL",
    "FALLBACK_POINTS_28",
    "POINT_NAMES",
    "PUBLISHED",
    "REGION_NAMES",
    "FlowConfig",
    "RegionBox",
    "RegionTable",
    "anatomical_boxes",
    "anatomical_table",
    "area_average",
    "area_weights",
    "channel_names",
    "channels_of",
    "cut_anatomical",
    "cut_published",
    "cut_regions",
    "fallback_points",
    "five_points",
    "flow_preset",
    "flow_presets",
    "mosaic",
    "region_boxes",
    "region_geometry",
    "region_table",
    "region_tables",
    "shrunk",
    "unit_of",
]
