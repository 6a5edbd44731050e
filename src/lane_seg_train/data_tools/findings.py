"""What can be wrong with labelled images, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['KINDS', 'Finding', 'Kind']


@dataclass(frozen=True)
class Kind:
    """One sort of finding.

    Attributes:
        title: heading of its group.
        is_fault: it stops training or makes its scores wrong; else it is worth knowing.
        advice: what to do.
    """

    title: str
    is_fault: bool
    advice: str


# In the order in which they are shown.
KINDS = {
    'unusable': Kind(
        'data set that cannot be used', True, 'correct the recipe or --data as the message says'
    ),
    'broken_image': Kind(
        'images that are broken, cut short or unreadable', True,
        'copy or record them again, or leave them out',
    ),
    'broken_label': Kind(
        'labels that are broken, cut short or unreadable', True,
        'make them again from their source, or leave them out',
    ),
    'no_label': Kind('images without a label', True, 'add the labels, or leave the images out'),
    'strict': Kind(
        'labels without an image, of a data set with strict: true', True,
        'add the images, take the labels away, or set strict: false',
    ),
    'size': Kind(
        'labels of another size than their image', True,
        'make them again, or scale them with nearest neighbour, or leave them out',
    ),
    'content': Kind(
        'labels with values, colours or a form that the recipe does not know', True,
        'add the values to "labels" (as "any" if they are to be ignored), mend the files, or '
        'leave them out',
    ),
    'same_file': Kind(
        'files that train and val share', True,
        'split with first, before or part, so that no file is in both',
    ),
    'same_image': Kind(
        'train images that are copies of val images', True,
        'leave them out of train: val would measure what was learned by heart',
    ),
    'near_duplicate': Kind(
        'train images that show the same as val images', True,
        'leave them out of train: val would measure what was learned by heart',
    ),
    'same_seed': Kind(
        'frames of the road scene that train and val share', True,
        'choose scene_seeds that do not overlap',
    ),
    'contradiction': Kind(
        'equal images with different labels', True,
        'keep the right one of them, or leave all of them out',
    ),
    'no_image': Kind(
        'labels without an image', False,
        'nothing, if images were left out on purpose; with strict: true they stop training',
    ),
    'empty': Kind(
        'labels without any foreground', False,
        'right where there is nothing to mark; if not, leave them out',
    ),
    'unused_value': Kind(
        'label values that the recipe names and no label holds', False,
        'look for a slip in the recipe, unless the value is known to be rare',
    ),
    'unlearnable': Kind(
        'classes that no training label marks as exactly this class', False,
        'add data that does, or take the class out of the recipe',
    ),
    'repeated': Kind(
        'data sets in which images show again what an earlier one shows', False,
        'they weigh more than the others; a lower "repeat" or a list in "include" evens that out',
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something that was found.

    Attributes:
        kind: key of `KINDS`.
        set_key: the data set, 'train/camvid_road'.
        name: of the pair; '' if it is about the set as a whole.
        text: what was found.
        leave_out: to leave this pair out of this set mends it.
    """

    kind: str
    set_key: str
    name: str
    text: str
    leave_out: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether it is a fault."""
        return KINDS[self.kind].is_fault
