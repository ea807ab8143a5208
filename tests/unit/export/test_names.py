import os
from pathlib import Path

import pytest

from heap.export.names import file_names, folder_names, printable_name
from heap.images.source import key_of


def named(*photos: str, reserved: tuple[str, ...] = (), as_they_are: bool = False) -> list[str]:
    return list(file_names(map(key_of, photos), reserved, as_they_are=as_they_are).values())


@pytest.mark.parametrize(
    "name",
    ["IMG_1", "2019/trip/IMG_1", "ü 1", "100 %", "Shot 1.00\u202fPM", "👩‍🌾", "v1.0/a.b", "[a]"],
)
def test_a_photo_gives_its_files_its_name(name: str) -> None:
    assert named(f"{name}.jpg") == named(f"{name}.jpg", as_they_are=True) == [name]


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("a:b?.jpg", "a_b_"),
        ("con.jpg", "_con"),
        ("Aux.x.jpg", "_Aux.x"),
        (" a. .jpg", "a"),
        ("...jpg", "_"),
        ("a\nb\u2028c.jpg", "a_b_c"),
        ("#1.jpg", "_#1"),
        (".git/a.jpg", "_.git/a"),
        ("b.TXT/a.jpg", "b.TXT_/a"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf_"),
        (300 * "x" + ".jpg", 200 * "x"),
    ],
)
def test_what_some_system_or_reader_does_not_take_is_replaced(name: str, legal: str) -> None:
    assert named(name) == [legal]


@pytest.mark.parametrize("name", ["a:b?", "con", "#1", "images/a", "b.txt/a", 240 * "x"])
def test_names_that_are_to_fit_the_photos_stay_as_they_are(name: str) -> None:
    assert named(f"{name}.jpg", reserved=("images",), as_they_are=True) == [name]


def test_names_that_are_no_text_fit_the_photos_too(tmp_path: Path) -> None:
    (name,) = named(os.fsdecode(b"caf\xe9.jpg"), as_they_are=True)
    assert os.fsencode(name) == b"caf\xe9"
    assert printable_name(name) == "caf%E9"


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/a.jpg", "a/../../b.jpg", "..\\a.jpg", "a\0.jpg"]
)
@pytest.mark.parametrize("as_they_are", [True, False])
def test_no_name_leads_out_of_the_export(name: str, as_they_are: bool) -> None:
    (found,) = named(name, as_they_are=as_they_are)
    assert not set(found.split("/")) & {"", ".", ".."}
    assert not set(found) & {"\\", "\0"}


def test_names_that_would_be_the_same_somewhere_end_in_a_digest() -> None:
    photos = ["a.jpg", "a.png", "A.jpg", "b/a.jpg", "nai\u0308ve.jpg", "na\u00efve.jpg", "c.jpg"]
    found = named(*photos)
    assert [found[3], found[6]] == ["b/a", "c"]
    assert [name[:2] for name in found[:3]] == ["a-", "a-", "A-"]
    assert len({name.casefold() for name in found}) == len(photos)
    backwards = named(*reversed(photos))
    assert found == backwards[::-1], "a name does not depend on the order"
    (digest,) = [name for name in found if name.startswith("A-")]
    again = named(*photos, f"{digest}.jpg")
    assert len({name.casefold() for name in again}) == len(photos) + 1
    assert again[-1] == digest


def test_a_folder_that_a_reader_looks_for_is_called_otherwise() -> None:
    assert named("images/a.jpg", "x/Images/images.jpg", reserved=("images",)) == [
        "_images/a",
        "x/_Images/images",
    ]


def test_classes_of_any_name_have_folders_of_their_own() -> None:
    names = ["Wheel", "wheel", "../..", "a/b", "a:b", ".", "CON", "🐈", "big dog"]
    found = folder_names(names)
    assert (found["🐈"], found["big dog"]) == ("🐈", "big dog")
    assert len({name.casefold() for name in found.values()}) == len(names)
    assert not {".", "..", "con"} & {name.casefold() for name in found.values()}
    assert not any("/" in name for name in found.values())
