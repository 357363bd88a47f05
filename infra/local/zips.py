"""Packs directories into zips whose bytes follow from their files alone: those of functions, and that of the client.
`python3 zips.py DIRECTORY NAME…` packs DIRECTORY/NAME into DIRECTORY/NAME.zip, or as NAME=ARCHIVE into
DIRECTORY/ARCHIVE.zip, and writes DIRECTORY/SHA256SUMS, which `sha256sum -c` reads.

All entries have one time, SOURCE_DATE_EPOCH or the earliest that a zip knows, and stand in the order of their names."""

import datetime
import hashlib
import os
import pathlib
import sys
import zipfile

EARLIEST = (1980, 1, 1, 0, 0, 0)
# The files that can be executed.
PROGRAMS = ("bootstrap", "reelhook")


def date_of(variables):
    """The time of all entries; zips have two seconds as their smallest unit."""
    text = variables.get("SOURCE_DATE_EPOCH")
    if not text:
        return EARLIEST
    given = datetime.datetime.fromtimestamp(int(text), datetime.timezone.utc)
    return max(EARLIEST, given.timetuple()[:6])


def pack(directory, out, date):
    """Packs the files of a directory."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(path for path in directory.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(directory).as_posix(), date_time=date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Unix, so that Lambda and unzip find the permissions.
            entry.create_system = 3
            entry.external_attr = (0o100755 if file.name in PROGRAMS else 0o100644) << 16
            packed.writestr(entry, file.read_bytes())


def main(directory, *names):
    directory, sums = pathlib.Path(directory), []
    for given in names:
        name, _, archive = given.partition("=")
        out = directory / f"{archive or name}.zip"
        pack(directory / name, out, date_of(os.environ))
        programs = [directory / name / program for program in PROGRAMS if (directory / name / program).is_file()]
        for path in (*programs, out):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            sums.append(f"{digest}  {path.relative_to(directory).as_posix()}\n")
    (directory / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
