import re

import pytest

from heap.base.errors import InputError
from heap.export.splits import Splits

KEYS = [f"folder/{number}.jpg" for number in range(4000)]


def test_shares_are_about_what_was_asked_for() -> None:
    splits = Splits.parse("train=0.8, val=0.15,test=0.05")
    assert splits.names == ("train", "val", "test")
    found = [splits.of(key) for key in KEYS]
    for name, share in splits.shares.items():
        assert abs(found.count(name) / len(KEYS) - share) < 0.03


def test_a_split_depends_on_nothing_but_key_seed_and_shares() -> None:
    first, again, other = (Splits.parse("train=0.5,val=0.5", seed) for seed in (1, 1, 2))
    assert [first.of(key) for key in KEYS] == [again.of(key) for key in reversed(KEYS)][::-1]
    assert [first.of(key) for key in KEYS] != [other.of(key) for key in KEYS]
    # Values by an earlier version: splits stay what they are between releases.
    assert [Splits.parse("a=0.5,b=0.5").of(key) for key in KEYS[:6]] == [*"abbaaa"]


def test_images_only_ever_move_to_a_split_that_has_grown() -> None:
    small, large = Splits.parse("train=0.6,val=0.4"), Splits.parse("train=0.7,val=0.3")
    assert all(large.of(key) == "train" for key in KEYS if small.of(key) == "train")


def test_a_split_without_an_image_is_refused() -> None:
    splits = Splits.parse("train=0.98,val=0.02")
    splits.check(KEYS)
    with pytest.raises(InputError, match=r"val would have none of the 1 images.*; choose larger"):
        splits.check(KEYS[:1])


def test_a_seed_that_leaves_no_split_empty_is_named() -> None:
    halves = Splits.parse("train=0.5,val=0.5", seed=2)
    few = [key for key in KEYS if halves.of(key) == "val"][:4]
    with pytest.raises(InputError, match=r"train would have none of the 4 images") as refused:
        halves.check(few)
    seed = re.search(r"choose --seed (\d+),", str(refused.value))
    assert seed is not None
    Splits(halves.shares, int(seed[1])).check(few)


def test_without_splits_no_image_is_needed() -> None:
    Splits().check([])


def test_without_splits_there_is_one_without_a_name() -> None:
    assert Splits().names == ("",)
    assert Splits().of("a.jpg") == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("train=0.8,val=0.1", "0.9 together"),
        ("train=1.5,val=-0.5", "'1.5' is no share"),
        ("train=nan", "'nan' is no share"),
        ("train=0.5,train=0.5", "named twice"),
        ("../x=1", "'../x' is no name"),
        ("Train=1", "'Train' is no name"),
        ("train", "'' is no share"),
        ("", "'' is no name"),
    ],
)
def test_what_is_no_split_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Splits.parse(text)
