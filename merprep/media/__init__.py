"""Files of a dataset, which nobody vouches for: looked at before a decoder sees them."""

from __future__ import annotations
