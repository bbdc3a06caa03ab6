"""What the archives of a release hold: .ci/archives.py <folder with one wheel and one sdist>.

The wheel is the package and nothing else; the sdist has what tests, documentation and benchmarks need beside it.
"""

import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = "hme", "tests", "docs", "notebooks", "benchmarks"
FILES = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "pyproject.toml"}
MADE = {"__pycache__", "_build", "generated", "jupyter_execute", ".ipynb_checkpoints"}  # as .gitignore says


def sources(folder):
    """Files of the checkout below a folder, without those that are made."""
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in found
        if not MADE & set(path.parts) and path.parts[:2] != ("docs", "notebooks") and path.suffix != ".pyc"
    }


def differences(name, held, wanted):
    """One line for each file that an archive lacks, or should not have."""
    return [f"{name} lacks {path}" for path in sorted(wanted - held)] + [
        f"{name} should not hold {path}" for path in sorted(held - wanted)
    ]


def main(folder):
    """Compare both archives with the checkout."""
    (wheel,), (sdist,) = Path(folder).glob("*.whl"), Path(folder).glob("*.tar.gz")
    with ZipFile(wheel) as archive:
        names = [Path(name) for name in archive.namelist()]
    package = {path.as_posix() for path in names if not path.parts[0].endswith(".dist-info")}
    licences = [path for path in names if path.name == "LICENSE"]
    with tarfile.open(sdist) as archive:
        held = {"/".join(Path(one.name).parts[1:]) for one in archive.getmembers() if one.isfile()}
    wanted = FILES.union(*map(sources, FOLDERS))
    wrong = differences(wheel.name, package, sources("hme"))
    wrong += differences(sdist.name, held - {"PKG-INFO", ".gitignore"}, wanted)
    wrong += [] if licences else [f"{wheel.name} has no licence"]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{wheel.name}: {len(package)} files of the package; {sdist.name}: {len(held)} files")


if __name__ == "__main__":
    main(sys.argv[1])
