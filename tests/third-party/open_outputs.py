"""Opens exported files with DuckDB and pandas, and compares the formats with each other."""

import pathlib
import sys

import duckdb
import pandas

folder, users = pathlib.Path(sys.argv[1]), int(sys.argv[2])
failures = 0


def check(what, holds, detail=""):
    global failures
    failures += not holds
    print(("ok " if holds else "FAIL ") + what, "" if holds else detail)


def rows(source):
    return duckdb.sql(f"SELECT COUNT(*) FROM {source}").fetchone()[0]


datasets = sorted(path.stem for path in (folder / "parquet").glob("*.parquet"))
check("there are files of every format", len(datasets) >= 16, datasets)
for name in datasets:
    parquet, csv, jsonl = (folder / kind / f"{name}.{kind}" for kind in ("parquet", "csv", "jsonl"))
    by_duckdb = [
        rows(f"read_parquet('{parquet}')"),
        rows(f"read_csv('{csv}', all_varchar = true, header = true, strict_mode = true)"),
        rows(f"read_json('{jsonl}', format = 'newline_delimited')"),
    ]
    frame = pandas.read_parquet(parquet)
    table = pandas.read_csv(csv, dtype=str, keep_default_na=False)
    same = len({*by_duckdb, len(frame), len(table)}) == 1
    check(f"{name}: DuckDB and pandas read the same rows", same, (by_duckdb, len(frame), len(table)))
    check(f"{name}: the columns agree", list(frame.columns) == list(table.columns), list(table.columns))
    # A spreadsheet would calculate these.
    cells = [cell for column in table for cell in table[column] if cell[:1] in "=+@\t\r" and cell]
    check(f"{name}: no cell is a formula", not cells, cells[:3])

user = pandas.read_parquet(folder / "parquet" / "user.parquet")
check("every user is there", len(user) == users, len(user))
check("ids are unique", user["Id"].is_unique)
check("instants are instants in UTC", str(user["CreatedDate"].dtype).endswith("UTC]"), user["CreatedDate"].dtype)
check("flags are booleans", user["IsActive"].dropna().isin([True, False]).all())
hostile = user["Name"].str.contains(r'[=+@<"\n]', regex=True).sum()
check("unfriendly names are among them", hostile > 0, hostile)
sys.exit(failures > 0)
