"""Asking the same once more: the training images of a comparison, found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified_train import drafts
from unified_train.errors import DatasetError, JournalError

if TYPE_CHECKING:
    from unified_train.compare.comparison import Comparison
    from unified_train.dataset import Dataset
    from unified_train.journal import Journal

_REMEDY = "name the folder or archive that they are in"


def photos_of(comparison: Comparison, journal: Journal) -> Dataset:
    """The images that a comparison trained on, from where the journal has them.

    Raises:
        DatasetError: The journal does not know them, or they are no longer there.
    """
    keys = [entrant.training.key for entrant in comparison.entrants if entrant.training and entrant.training.key]
    calls = [call for call in map(journal.intent, keys) if call is not None]
    if not calls:
        raise DatasetError(f"the journal does not know where the training images of the comparison are; {_REMEDY}")
    # As they were given: uploaded to one vendor they are of no use to the others.
    given = calls[0].model_copy(update={"uploads": {}})
    try:
        request, *_ = drafts.training_of(given)
    except (DatasetError, JournalError) as error:
        raise DatasetError(f"the training images of the comparison are not to be had ({error}); {_REMEDY}") from None
    return request.dataset
