"""Splits over persons, scores of pooled predictions, published results. No network in sight."""

from merprep.evaluation.database_splitters import HoldOutDatabase, LeaveOneDatabaseOut
from merprep.evaluation.guard import Guard, check_disjoint, check_fitted, check_split
from merprep.evaluation.likeness import copy_digests, input_digests
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
from merprep.evaluation.paired import McNemar, PairedTest, mcnemar, paired_test
from merprep.evaluation.protocols import PROTOCOLS, SUBJECT_DEPENDENT, NamedFold, Roster, Split, split_by
from merprep.evaluation.published import (
    PublishedResult,
    PublishedTable,
    published_table,
    published_tables,
    tables_beside,
)
from merprep.evaluation.resampling import Intervals, bootstrap, person_counts, scores_of_counts
from merprep.evaluation.scaling import Scaler
from merprep.evaluation.scores import Score, Scores, over_seeds
from merprep.evaluation.splitters import Fold, LeaveOneSubjectOut, Splitter, SubjectKFold
from merprep.evaluation.tables import averaged, score_file, score_table, scores_of
from merprep.evaluation.units import CROSS_DATABASE_UNITS, UnitScores, unit_matrix, unit_scores, unit_scores_by

__all__ = [
    "CROSS_DATABASE_UNITS",
    "PROTOCOLS",
    "SUBJECT_DEPENDENT",
    "Fold",
    "Guard",
    "HoldOutDatabase",
    "Intervals",
    "LeaveOneDatabaseOut",
    "LeaveOneSubjectOut",
    "ListedSplit",
    "McNemar",
    "NamedFold",
    "PairedTest",
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
    "UnitScores",
    "absent_classes",
    "accuracy",
    "averaged",
    "bootstrap",
    "check_disjoint",
    "check_fitted",
    "check_split",
    "confusion_matrix",
    "copy_digests",
    "f1_per_class",
    "input_digests",
    "mcnemar",
    "over_seeds",
    "paired_test",
    "person_counts",
    "pooled",
    "precision_per_class",
    "published_table",
    "published_tables",
    "recall_per_class",
    "score_file",
    "score_table",
    "scores_of",
    "scores_of_counts",
    "split_by",
    "tables_beside",
    "uar",
    "uf1",
    "unit_matrix",
    "unit_scores",
    "unit_scores_by",
]
