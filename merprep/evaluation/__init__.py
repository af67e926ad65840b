"""Splits over persons, scores of pooled predictions, published results. No network in sight."""

from merprep.evaluation.guard import check_disjoint
from merprep.evaluation.metrics import (
    absent_classes,
    accuracy,
    confusion_matrix,
    f1_per_class,
    pooled,
    precision_per_class,
    recall_per_class,
    uar,
    uf1,
)
from merprep.evaluation.published import PublishedResult, PublishedTable, published_table, published_tables
from merprep.evaluation.scores import Score, Scores, over_seeds
from merprep.evaluation.splitters import Fold, LeaveOneSubjectOut, Splitter, SubjectKFold

__all__ = [
    "Fold",
    "LeaveOneSubjectOut",
    "PublishedResult",
    "PublishedTable",
    "Score",
    "Scores",
    "Splitter",
    "SubjectKFold",
    "absent_classes",
    "accuracy",
    "check_disjoint",
    "confusion_matrix",
    "f1_per_class",
    "over_seeds",
    "pooled",
    "precision_per_class",
    "published_table",
    "published_tables",
    "recall_per_class",
    "uar",
    "uf1",
]
