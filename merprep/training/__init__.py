"""Training: recipes, the loop over folds, the choice of the epoch, predictions."""

from merprep.training.dataset import FeatureDataset, Labelling
from merprep.training.final import predict
from merprep.training.recipe import Augmentation, Recipe
from merprep.training.result import TrainResult
from merprep.training.run import run_name, train
from merprep.training.selection import SELECTIONS, Selection, inner_epoch, oracle_epoch

__all__ = [
    "SELECTIONS",
    "Augmentation",
    "FeatureDataset",
    "Labelling",
    "Recipe",
    "Selection",
    "TrainResult",
    "inner_epoch",
    "oracle_epoch",
    "predict",
    "run_name",
    "train",
]
