"""The bytes of a file and what they are: compressed or not, in some encoding, or Parquet."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path

from . import TableError

__all__ = ["decode", "load", "pandas"]

BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    ValueError,
)
UNPACK = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\x00": lzma.decompress}
# Files that begin like this hold no text; what to do with them.
OTHERS = {
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save the sheet as CSV",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it first",
    b"%PDF": "is a PDF file, not a table",
    b"SQLite format 3": "is an SQLite database; export the table as CSV",
    b"\x89HDF": "is an HDF5 file; export the table as CSV or Parquet",
}
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32"}
MARKS |= {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
MOST_CONTROLS = 0.01  # share of control characters in what counts as text


def pandas():
    """The pandas module, or an error that says how to get it."""
    try:
        import pandas
    except ImportError:
        raise TableError(
            'reading a table needs pandas: python -m pip install pandas (or hme with its extra, ".[command]")'
        ) from None
    return pandas


def load(path):
    """The content of a file: its bytes, unpacked, or a data frame.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bytes or pandas.DataFrame

    Raises
    ------
    TableError
        If the file cannot be read, or is no table.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path}: {error.strerror or error}") from None
    try:
        content = _unpacked(content, path)
    except TableError:
        raise
    except BROKEN as error:
        raise TableError(f"{path} is damaged, or cannot be unpacked: {error}") from None
    if content[:4] == b"PAR1" or content[:6] == b"ARROW1":
        return _columnar(content, path)
    for start, advice in OTHERS.items():
        if content.startswith(start):
            raise TableError(f"{path} {advice}")
    if content[257:262] == b"ustar":
        raise TableError(f"{path} is a tar archive; unpack it first")
    return content


def _unpacked(content, path):
    for start, unpack in UNPACK.items():
        if content.startswith(start):
            return unpack(content)
    if not content.startswith(b"PK\x03\x04"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX/" not in name]
        if "[Content_Types].xml" in members or "mimetype" in members:
            raise TableError(f"{path} is a workbook; save the sheet as CSV")
        if len(members) != 1:
            raise TableError(f"{path} holds {len(members)} files; a table is one of them alone: unpack it first")
        return archive.read(members[0])


def _columnar(content, path):
    read = pandas().read_parquet if content[:4] == b"PAR1" else pandas().read_feather
    try:
        frame = read(io.BytesIO(content))
    except ImportError:
        raise TableError(f"reading {path} needs pyarrow: python -m pip install pyarrow") from None
    except Exception as error:  # of pyarrow's own kinds
        raise TableError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame.columns = ["_".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    return frame


def decode(content, path, encoding=None):
    """The text in bytes, and the name of the encoding if it is neither given nor Unicode.

    Without an encoding: what a byte order mark says; UTF-8; UTF-16 where every other byte is zero; else cp1252, the
    encoding of Windows in Western Europe, which is latin-1 but for 27 signs that latin-1 does not have.
    """
    guessed = None
    if encoding is None:
        marked = [name for mark, name in MARKS.items() if content.startswith(mark)]
        encoding = (marked or [_without_mark(content)])[0]
        guessed = encoding if encoding in ("cp1252", "latin-1") else None
    elif encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except (UnicodeError, ValueError) as error:
        raise TableError(f"{path} is not a text file encoded in {encoding.removesuffix('-sig')}: {error}") from None
    controls = sum(text.count(chr(code)) for code in range(32) if chr(code) not in "\t\n\r\f\x1a\x1b")
    if "\x00" in text or controls > MOST_CONTROLS * len(text):
        raise TableError(f"{path} is not a text file" + (f" encoded in {guessed}" if guessed else ""))
    return text.removeprefix("\ufeff").rstrip("\x1a"), guessed


def _without_mark(content):
    start = content[:4096]
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) > 0.3 * len(start) / 2 and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    try:
        content.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        content.decode("cp1252")
        return "cp1252"
    except UnicodeDecodeError:
        return "latin-1"
