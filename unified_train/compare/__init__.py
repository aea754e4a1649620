"""Comparisons of vendors: the data, the self-contained report, blind votes and their ranking.

>>> from unified_train.compare import read_manifest, write_report
>>> comparison = read_manifest("report/manifest.json")  # doctest: +SKIP
>>> print(comparison.table())  # doctest: +SKIP
>>> pandas.DataFrame(comparison.to_records())  # doctest: +SKIP
"""

from unified_train.compare.comparison import (
    Comparison,
    Entrant,
    FailedPicture,
    Photo,
    Picture,
    PictureOptions,
    Training,
)
from unified_train.compare.folder import check_folder, read_manifest
from unified_train.compare.progress import Progress, Stage
from unified_train.compare.ranking import Duel, Ranking, Standing, rank
from unified_train.compare.report import rebuild, write_report
from unified_train.compare.summary import Bill, Stretch, Summary, stretches, summarise
from unified_train.compare.votes import Vote, duels, read_votes

__all__ = [
    "Bill",
    "Comparison",
    "Duel",
    "Entrant",
    "FailedPicture",
    "Photo",
    "Picture",
    "PictureOptions",
    "Progress",
    "Ranking",
    "Stage",
    "Standing",
    "Stretch",
    "Summary",
    "Training",
    "Vote",
    "check_folder",
    "duels",
    "rank",
    "read_manifest",
    "read_votes",
    "rebuild",
    "stretches",
    "summarise",
    "write_report",
]
