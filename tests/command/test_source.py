"""Bytes of files: compressed, in any encoding, Parquet, or no table at all."""

import bz2
import gzip
import lzma
import sys
import zipfile

import pandas as pd
import pytest

from hme.command import TableError
from hme.command.source import decode, load

TEXT = "größe,€\n1,2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found_out(encoding):
    text, guessed = decode(TEXT.encode(encoding), "t.csv")
    assert text == TEXT and guessed == ("cp1252" if encoding == "cp1252" else None)


def test_other_encodings():
    assert decode("größe\n1\n".encode("latin-1"), "t.csv")[0] == "größe\n1\n"
    assert decode("name,b\n1,2\n".encode("utf-16-le"), "t.csv")[0] == "name,b\n1,2\n"
    assert decode("число\n".encode("koi8-r"), "t.csv", "koi8-r")[0] == "число\n"
    with pytest.raises(TableError, match="not a text file encoded in utf-8"):
        decode(TEXT.encode("cp1252"), "t.csv", "utf-8")
    with pytest.raises(TableError, match="is not a text file"):
        decode(bytes(range(256)), "t.csv")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(tmp_path, pack):
    path = tmp_path / "table"  # whatever its name
    path.write_bytes(pack(TEXT.encode()))
    assert load(path).decode() == TEXT
    path.write_bytes(pack(TEXT.encode() * 99)[:-9])
    with pytest.raises(TableError, match="is damaged"):
        load(path)


def test_zip(tmp_path):
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("in/t.csv", TEXT)
        archive.writestr("__MACOSX/t.csv", "")
    assert load(path).decode() == TEXT
    for name, message in {
        "u.csv": "holds 2 files",
        "[Content_Types].xml": "is a workbook; save the sheet as CSV",
    }.items():
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, TEXT)
        with pytest.raises(TableError, match=message):
            load(path)


def test_parquet(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"a": [1.5, 2.5]}, index=pd.Index(["u", "v"], name="who"))
    frame.to_parquet(path)
    pd.testing.assert_frame_equal(load(path), frame.reset_index())
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(TableError, match="cannot be read"):
        load(path)
    monkeypatch.setattr(pd, "read_parquet", lambda file: (_ for _ in ()).throw(ImportError("pyarrow")))
    with pytest.raises(TableError, match="needs pyarrow: python -m pip install pyarrow"):
        load(path)


def test_no_pandas(monkeypatch, tmp_path, capsys):
    from hme.__main__ import main

    monkeypatch.setitem(sys.modules, "pandas", None)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert main([str(tmp_path / "t.csv"), "--target", "b"]) == 2
    assert "needs pandas: python -m pip install pandas" in " ".join(capsys.readouterr().err.split())
