"""Published network weights: where they come from, whether they are the published ones, and where they are kept."""

from merprep.weights.fetching import add, cache_folder, fetch, table
from merprep.weights.table import Weights

__all__ = ["Weights", "add", "cache_folder", "fetch", "table"]
