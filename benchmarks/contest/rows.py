"""Rows of results that are kept: one line of JSON for a table, a split and a method."""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .methods import METHODS, OURS

__all__ = ["FOLDER", "PROTOCOL", "Rows", "version_of"]

FOLDER = Path(__file__).parents[1] / "results"
# Raised where splits, numbers of rows or scores change, so that no row of before can stand beside a row of after.
PROTOCOL = 1


def version_of(package):
    """Version of a package, or None where it is not installed."""
    if package == "hme":
        import hme

        return hme.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _rounded(value):
    return float(f"{value:.6g}") if isinstance(value, float) else value


class Rows:
    """The rows of a task, in two files: those of peers, which run once, and ours."""

    def __init__(self, task, folder=FOLDER):
        self.task, self.folder = task, Path(folder)
        self._rows = {}
        self._read()

    def _read(self):
        for path in self._paths().values():
            if path.exists():
                for line in path.read_text(encoding="utf-8").splitlines():
                    row = json.loads(line)
                    self._rows[row["table"], row["split"], row["method"]] = row

    def _paths(self):
        return {kind: self.folder / f"{self.task}_{kind}.jsonl" for kind in ("peers", "ours")}

    def __iter__(self):
        """Rows of this protocol and of the methods' present revisions."""
        revisions = {}
        for method in METHODS[self.task]:
            revisions |= dict.fromkeys((method.name, *method.beside), method.revision)
        for row in self._rows.values():
            if row["protocol"] == PROTOCOL and revisions.get(row["method"]) == row["revision"]:
                yield row

    def has(self, table, split, method):
        """Whether there is a row of this protocol, revision and version."""
        row = self._rows.get((table, split, method.name), {})
        asked = {"protocol": PROTOCOL, "revision": method.revision, "package": method.package}
        asked["version"] = version_of(method.package)
        return all(row.get(key) == value for key, value in asked.items())

    def add(self, table, split, method, name, scores, seconds):
        """Keep a row; `seconds` are those of the CPU in fitting and in predicting."""
        self._read()  # another run may have added to the files
        kept = {"table": table, "split": split, "method": name, "package": method.package}
        kept |= {"version": version_of(method.package), "revision": method.revision, "protocol": PROTOCOL}
        kept |= {key: _rounded(value) for key, value in scores.items()}
        self._rows[table, split, name] = kept | {
            "fit_seconds": round(seconds[0], 3),
            "predict_seconds": round(seconds[1], 3),
        }
        self._write("ours" if method.name in OURS else "peers")

    def _write(self, kind):
        mine = [m for m in METHODS[self.task] if (m.name in OURS) == (kind == "ours")]
        names = {name for method in mine for name in (method.name, *method.beside)}
        lines = [json.dumps(row) for key, row in sorted(self._rows.items()) if row["method"] in names]
        path = self._paths()[kind]
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")  # a run that is stopped leaves whole files
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        new.replace(path)
