"""The sections of the report, in reading order: each turns a study into blocks."""

from __future__ import annotations

from collections.abc import Callable

from merprep.report.blocks import Section
from merprep.report.sections.alignment import section as alignment
from merprep.report.sections.cost import section as cost
from merprep.report.sections.data import section as data
from merprep.report.sections.labels import section as labels
from merprep.report.sections.motion import section as motion
from merprep.report.sections.networks import section as networks
from merprep.report.sections.provenance import section as provenance
from merprep.report.sections.published import section as published
from merprep.report.sections.summary import section as summary
from merprep.report.study import Study

SECTIONS: tuple[Callable[[Study], Section], ...] = (
    summary,
    data,
    labels,
    alignment,
    motion,
    networks,
    published,
    cost,
    provenance,
)
