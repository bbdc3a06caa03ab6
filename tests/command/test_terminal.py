"""What is printed, and files that are written whole or not at all."""

import io

import pytest

from hme.command import TableError, terminal
from hme.command.saving import check_folder, whole_file


def test_terminals_see_text():
    assert terminal.plain("gr\x1b[31mün\n\u202e\ud800") == r"gr\x1b[31mün\n\u202e\ud800"
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    terminal.say("ü\n\x07", ascii_only)
    assert ascii_only.buffer.getvalue() == b"\\xfc\n\\x07\n"


def test_long_lists_are_short():
    assert terminal.listed(range(14)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"
    text = terminal.shown_cells(["x" * 99] * 7 + list("abcdef"), range(13))
    assert text.startswith("'xxx") and "rows 1, 2, 3, 4, 5 and 2 more, 'a' in row 8" in text
    assert text.endswith("and 2 other cells") and len(text) < 160


def test_progress_is_told_while_it_lasts(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "PATIENCE", 0.01)
    with terminal.progress("fitting \x1b"):
        terminal.threading.Event().wait(0.05)
    assert r"fitting \x1b ... 0 s" in capsys.readouterr().err


def test_files_are_whole_or_as_before(tmp_path):
    path = tmp_path / "new" / "model"
    with whole_file(path) as file:
        file.write(b"one")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"tw")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"one" and list(path.parent.iterdir()) == [path]


def test_folders_are_checked_before_the_fit(tmp_path):
    check_folder(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    with pytest.raises(TableError, match="file is not a folder"):
        check_folder(tmp_path / "file" / "b")
