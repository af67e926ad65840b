"""Splits over persons, scores of pooled predictions, published results. No network in sight."""

from merprep.evaluation.database_splitters import HoldOutDatabase, LeaveOneDatabaseOut
from merprep.evaluation.guard import check_disjoint, check_fitted, check_split, input_digests
from merprep.evaluation.listed_splits import ListedSplit, SampleWiseKFold, SubjectDependentWarning
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
from merprep.evaluation.protocols import PROTOCOLS, SUBJECT_DEPENDENT, NamedFold, Roster, Split, split_by
from merprep.evaluation.published import PublishedResult, PublishedTable, published_table, published_tables
from merprep.evaluation.scaling import Scaler
from merprep.evaluation.scores import Score, Scores, over_seeds
from merprep.evaluation.splitters import Fold, LeaveOneSubjectOut, Splitter, SubjectKFold

__all__ = [
    "PROTOCOLS",
    "SUBJECT_DEPENDENT",
    "Fold",
    "HoldOutDatabase",
    "LeaveOneDatabaseOut",
    "LeaveOneSubjectOut",
    "ListedSplit",
    "NamedFold",
    "PublishedResult",
    "PublishedTable",
    "Roster",
    "SampleWiseKFold",
    "Scaler",
    "Score",
    "Scores",
    "Split",
    "Splitter",
    "SubjectDependentWarning",
    "SubjectKFold",
    "absent_classes",
    "accuracy",
    "check_disjoint",
    "check_fitted",
    "check_split",
    "confusion_matrix",
    "f1_per_class",
    "input_digests",
    "over_seeds",
    "pooled",
    "precision_per_class",
    "published_table",
    "published_tables",
    "recall_per_class",
    "split_by",
    "uar",
    "uf1",
]
