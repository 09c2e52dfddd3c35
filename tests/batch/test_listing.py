import inspect
import io
import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from aiforensics.batch import Item, Listing, listing
from aiforensics.batch.listing import read_member
from aiforensics.evidence import InputError, Refusal

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(autouse=True)
def fresh():
    listing._open.cache_clear()


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return str(path)


def test_a_folder_gives_its_pictures_in_order_and_counts_the_rest(tmp_path):
    for name in ("b.JPG", "a.png", "sub/z.webp", "notes.txt", ".hidden.png", ".git/x.png", "bare", "barer"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG if name == "bare" else b"text")
    (tmp_path / "circle").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "z.lock").symlink_to(tmp_path / "nowhere")
    found = Listing([tmp_path])
    names = [os.path.relpath(item.path, tmp_path) for item in found]
    assert names == ["a.png", "b.JPG", "bare", "dangling.png", "link.png", str(Path("sub", "z.webp"))]
    assert [item.path.rpartition(os.sep)[2] for item in found if isinstance(item, Refusal)] == ["dangling.png"]
    assert found.left_out == {".txt": 1, "hidden": 2, ".lock": 1, "": 2}  # "": barer, circle


def test_named_files_are_always_tried_and_missing_ones_are_refused(tmp_path):
    (tmp_path / "odd.txt").write_bytes(b"x")
    found = list(Listing([tmp_path / "odd.txt", tmp_path / "missing.jpg"]))
    assert isinstance(found[0], Item)
    assert isinstance(found[1], Refusal)
    assert found[1].kind == "not-found"


def test_a_single_name_is_one_source(tmp_path, monkeypatch):
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "x.png").write_bytes(PNG)
    (tmp_path / "a").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    for sources in ("ab", Path("ab"), ["ab"]):
        assert [item.path for item in Listing(sources)] == [str(Path("ab", "x.png"))]
    with pytest.raises(TypeError):
        Listing(b"ab")


def test_an_empty_name_is_refused_and_not_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    refusal, item = Listing(["", "."])
    assert isinstance(refusal, Refusal)
    assert (refusal.path, refusal.kind) == ("", "not-found")
    assert isinstance(item, Item)


def test_what_cannot_be_looked_at_is_one_refusal_and_the_rest_goes_on(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").symlink_to("b.png")
    (tmp_path / "bare").symlink_to("bare")
    (tmp_path / "z.png").write_bytes(PNG)
    found = list(
        Listing([tmp_path, "n" * 300, "a\0b", tmp_path / "b.png", tmp_path / "a.png" / "x", tmp_path / "z.png"])
    )
    paths = [Path(item.path).name for item in found]
    assert paths == ["a.png", "b.png", "bare", "z.png", "n" * 300, "a\0b", "b.png", "x", "z.png"]
    assert [isinstance(item, Refusal) for item in found] == [False, True, True, False, True, True, True, True, False]
    assert all(item.kind == "not-found" and item.message for item in found if isinstance(item, Refusal))


def test_folders_of_any_depth_are_walked_in_order(tmp_path):
    folder = tmp_path
    for _ in range(150):  # deeper ones would be too deep for pytest to clear away
        (folder / "d").mkdir()
        for name in ("c.png", "e.png"):
            (folder / name).touch()
        folder /= "d"
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        found = [item.path for item in Listing([tmp_path])]
    finally:
        sys.setrecursionlimit(before)
    assert [path.removeprefix(f"{tmp_path}/").replace("d/", "") for path in found] == ["c.png"] * 150 + ["e.png"] * 150


@pytest.mark.parametrize("name", ["pipe", "pipe.zip"])
def test_a_named_pipe_is_left_to_the_gate(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert list(Listing([tmp_path / name])) == [Item(str(tmp_path / name), str(tmp_path / name))]


def test_a_defect_that_an_archive_lays_bare_is_one_refusal(tmp_path, monkeypatch):
    def defect(file):
        raise ZeroDivisionError(file)

    monkeypatch.setattr(listing, "_opened", defect)
    archive(tmp_path / "a.zip", {"p.png": PNG})
    (tmp_path / "z.png").write_bytes(PNG)
    first, second = Listing([tmp_path / "a.zip", tmp_path / "z.png"])
    assert isinstance(first, Refusal)
    assert "ZeroDivisionError" in first.message
    assert isinstance(second, Item)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", ["p.png", "bare"])
def test_members_whose_unpacking_has_no_bound_are_not_unpacked(tmp_path, monkeypatch, method, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(zipfile.ZipInfo(name), bytes(999), compress_type=method)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    (found,) = Listing([tmp_path / "a.zip"])
    if isinstance(found, Item):
        with pytest.raises(InputError, match="neither stored nor deflated"):
            read_member(found)
    else:
        assert (name, found.kind) == ("bare", "unsupported")


def test_names_in_utf8_are_read_as_that_even_where_the_archive_does_not_say_so(tmp_path):
    class Unsaid(zipfile.ZipInfo):
        def _encodeFilenameFlags(self):  # noqa: N802 - zipfile's name for it
            return self.filename.encode("utf-8"), self.flag_bits

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr(Unsaid("grün 图.png"), PNG)
        out.writestr("said 图.png", PNG)
    assert [Path(item.path).name for item in Listing([tmp_path / "a.zip"])] == [
        "a.zip!grün 图.png",
        "a.zip!said 图.png",
    ]


def test_an_archive_gives_its_members_without_unpacking_to_disk(tmp_path):
    path = archive(
        tmp_path / "a.zip",
        {"d/one.png": PNG, "../../up.jpg": b"1", "__MACOSX/._x.png": b"", "d/.h.png": b"", "t.txt": b""},
    )
    found = Listing([path])
    items = list(found)
    assert [item.path for item in items] == [f"{path}!d/one.png", f"{path}!../../up.jpg"]
    assert found.left_out == {"hidden": 2, ".txt": 1}
    assert read_member(items[0]) == PNG
    assert [f.name for f in tmp_path.iterdir()] == ["a.zip"]


def test_an_archive_inside_an_archive_is_refused(tmp_path):
    path = archive(
        tmp_path / "a.zip",
        {"p.png": PNG, "d/in.ZIP": b"PK\3\4", "b.7z": b"7z", "__MACOSX/._in.zip": b"", ".h.zip": b""},
    )
    found = Listing([path])
    item, *refused = found
    assert item.path == f"{path}!p.png"
    line = "an archive inside an archive: unpack it first"
    assert refused == [Refusal(f"{path}!{name}", "unsupported", line) for name in ("d/in.ZIP", "b.7z")]
    assert found.left_out == {"hidden": 2}


def test_members_without_an_ending_are_known_by_their_bytes(tmp_path):
    path = archive(tmp_path / "a.zip", {"d/bare": PNG * 1000, "barer": b"text", "empty": b"", "a.png": PNG})
    found = Listing([path])
    assert [item.member for item in found] == [0, 3]
    assert found.left_out == {"": 2}


def test_a_name_that_is_too_long_is_refused_and_the_rest_goes_on(tmp_path):
    path = archive(tmp_path / "a.zip", {"\x01" * 40_000 + ".png": PNG, "a" * 4092 + ".png": PNG, "b.png": PNG})
    first, second, third = Listing([path])
    assert isinstance(first, Refusal)
    assert first.kind == "too-large"
    assert len(first.path) < 5000 < len(second.path) + 1000
    assert (second.member, third.member) == (1, 2)


def test_a_picture_that_is_named_as_an_archive_is_a_picture(tmp_path):
    path = str(tmp_path / "photo.zip")
    Path(path).write_bytes(PNG)
    assert list(Listing([path])) == [Item(path, path)]


def test_an_archive_is_read_once_for_all_its_members(tmp_path, monkeypatch):
    reads = []
    real = zipfile.ZipFile._RealGetContents
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", lambda self: (reads.append(1), real(self))[1])
    path = archive(tmp_path / "a.zip", {f"{i}.png": PNG for i in range(30)})
    assert [read_member(item) for item in Listing([path])] == [PNG] * 30
    assert len(reads) == 1


def test_an_archive_that_changed_is_read_anew_and_the_one_before_closed(tmp_path):
    path = archive(tmp_path / "a.zip", {"p.png": PNG})
    before = listing._opened(path)
    stream = before.fp
    (item,) = Listing([path])
    del before
    assert not stream.closed
    archive(tmp_path / "a.zip", {"p.png": PNG + b"changed"})
    assert read_member(item) == PNG + b"changed"
    assert stream.closed


@pytest.mark.parametrize("later", [{"q.png": b"another"}, {"q.png": b"another", "p.png": PNG}, {}])
def test_a_member_of_an_archive_that_was_replaced_is_nobody_elses(tmp_path, later):
    (item,) = Listing([archive(tmp_path / "a.zip", {"p.png": PNG})])
    archive(tmp_path / "a.zip", later)
    with pytest.raises(InputError, match="the archive changed while it was read: scan it again") as caught:
        read_member(item)
    assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("inner", [{"p.png": PNG}, {}])
@pytest.mark.parametrize("lost", [22, 80])  # the record at the end, a part of the list too
def test_an_archive_that_is_cut_is_not_taken_for_the_one_inside_it(tmp_path, inner, lost):
    archive(tmp_path / "in.zip", inner)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("first.png", PNG)
        out.write(tmp_path / "in.zip", "in.zip")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-lost])
    (refusal,) = Listing([tmp_path / "a.zip"])
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "truncated"


def test_an_archive_behind_a_program_that_unpacks_it_is_read(tmp_path):
    path = archive(tmp_path / "a.zip", {"p.png": PNG})
    Path(path).write_bytes(b"MZ a program" + Path(path).read_bytes())
    assert [read_member(item) for item in Listing([path])] == [PNG]


def test_an_archive_is_known_by_its_bytes(tmp_path):
    path = archive(tmp_path / "album.cbz", {"p.png": PNG})
    assert [item.member for item in Listing([path])] == [0]


def test_members_of_the_same_name_are_both_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as out:
        out.writestr("p.png", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            out.writestr("p.png", b"second")
    assert [read_member(item) for item in Listing([tmp_path / "a.zip"])] == [b"first", b"second"]


def test_bombs_are_refused_before_they_unpack(tmp_path, monkeypatch):
    path = archive(tmp_path / "a.zip", {"bomb.png": bytes(30_000_000)})
    (item,) = Listing([path])
    with pytest.raises(InputError, match="200:1") as caught:
        read_member(item)
    assert caught.value.kind == "too-large"
    monkeypatch.setattr(listing, "MAX_MEMBER_BYTES", 1000)
    with pytest.raises(InputError, match="unpacks to 30000000 bytes"):
        read_member(item)


def test_a_member_that_lies_about_its_size_is_cut_or_refused(tmp_path):
    path = archive(tmp_path / "a.zip", {"p.png": bytes(range(256)) * 40})
    raw = (tmp_path / "a.zip").read_bytes()
    size = (256 * 40).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(raw.replace(size, (100).to_bytes(4, "little")))
    (item,) = Listing([path])
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_member(item)


def directory_only(path, count, *, zip64):
    """An archive that is a directory of so many members and states the size of it twice, the second time wrongly."""
    entry = (
        struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 10, 10, 5, 0, 0, 0, 0, 0, 0) + b"a.jpg"
    )
    start, size = 30, count * len(entry)
    with path.open("wb") as out:
        out.write(b"PK\3\4" + bytes(26) + entry * count)
        if zip64:
            out.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 20, 20, 0, 0, count, count, size, start))
            out.write(struct.pack("<4sLQL", b"PK\6\7", 0, start + size, 1))
        out.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 100 if zip64 else size, start, 0))
    return str(path)


@pytest.mark.parametrize("cap", [39, 2])  # by the count of its members, by its size
@pytest.mark.parametrize("zip64", [False, True])
def test_archives_with_too_many_members_are_refused_before_they_are_listed(tmp_path, monkeypatch, cap, zip64):
    path = directory_only(tmp_path / "a.zip", 40, zip64=zip64)
    assert len(list(Listing([path]))) == 40
    listing._open.cache_clear()
    monkeypatch.setattr(listing, "MAX_MEMBERS", cap)
    monkeypatch.setattr(zipfile.ZipInfo, "_decodeExtra", None)
    (refusal,) = Listing([path])
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "too-large"


@pytest.mark.parametrize("damage", [b"", b"PK\3\4 not really", "cut", "encrypted", "method"])
def test_broken_archives_are_one_refusal(tmp_path, damage):
    path = tmp_path / "a.zip"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("p.png", PNG)
    raw = bytearray(buffer.getvalue())
    central = raw.rfind(b"PK\1\2")
    if damage == "cut":
        raw = raw[:-10]
    elif damage == "encrypted":
        raw[6] |= 1
        raw[central + 8] |= 1
    elif damage == "method":
        raw[8] = raw[central + 10] = 97
    else:
        raw = damage
    path.write_bytes(raw)
    (found,) = Listing([path])
    if isinstance(found, Refusal):
        assert found.kind == "unreadable"
    else:
        with pytest.raises(InputError, match="cannot be unpacked"):
            read_member(found)
