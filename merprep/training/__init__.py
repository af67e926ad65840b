"""Training: recipes, the loop over folds, the choice of the epoch, predictions."""

from merprep.training.checkpoints import CheckpointScores, score_checkpoints
from merprep.training.comparison import Comparison, compare_runs
from merprep.training.dataset import FeatureDataset, Labelling
from merprep.training.final import FinalModel, read_final
from merprep.training.intended import Intended, intended, run_name
from merprep.training.predicting import predict, scores_of_new, write_predictions
from merprep.training.recipe import Augmentation, Recipe
from merprep.training.result import TrainResult
from merprep.training.run import train
from merprep.training.selection import SELECTIONS, Selection, inner_epoch, oracle_epoch
from merprep.training.sources import newest_input
from merprep.training.stored import StoredRun, read_run
from merprep.training.unit_labels import UnitLabelling
from merprep.training.units import ACTION_UNITS, UnitsResult, train_units

__all__ = [
    "ACTION_UNITS",
    "SELECTIONS",
    "Augmentation",
    "CheckpointScores",
    "Comparison",
    "FeatureDataset",
    "FinalModel",
    "Intended",
    "Labelling",
    "Recipe",
    "Selection",
    "StoredRun",
    "TrainResult",
    "UnitLabelling",
    "UnitsResult",
    "compare_runs",
    "inner_epoch",
    "intended",
    "newest_input",
    "oracle_epoch",
    "predict",
    "read_final",
    "read_run",
    "run_name",
    "score_checkpoints",
    "scores_of_new",
    "train",
    "train_units",
    "write_predictions",
]
