"""Records for SQL, Parquet, and Python."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio
import duckdb
import numpy as np
import pytest

import foxbatch
from foxbatch import api
from foxbatch.canonical import Json
from foxbatch.errors import MissingExtraError, UsageError
from foxbatch.events import SubmitRefused
from foxbatch.results.story import attempts_table
from tests.cli import MANIFEST, Type
from tests.runner_harness import RUN, state_of
from tests.test_results import FIRST, INTENDED, JOB

OPTIONS = api.RunOptions(speed=500, environ={"PATH": ""})
FAILING = MANIFEST.replace("A stormy sea", '"A sea [sandbox:fail service_error]"')


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run directory with a done and a failed job."""
    path = tmp_path_factory.mktemp("asked") / "sea.yaml"
    path.write_text(FAILING)
    return anyio.run(api.run, api.load_manifest(path), OPTIONS).run_dir


def ask(sql: str, *run_dirs: Path) -> list[tuple[Json, ...]]:
    with api.open_tables(run_dirs) as database:
        return list(database.ask(sql).rows)


def read(sql: str) -> list[tuple[object, ...]]:
    """Return what DuckDB itself, without foxbatch, reads."""
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


class TestTables:
    @pytest.mark.parametrize(
        ("table", "rows"),
        [("results", 2), ("jobs", 2), ("artifacts", 1), ("attempts", 2)],
    )
    def test_there_is_a_row_for_each(
        self, run_dir: Path, table: str, rows: int
    ) -> None:
        found = ask(f"FROM {table} SELECT count(*), any_value(run)", run_dir)

        assert found == [(rows, "sea@sandbox")]

    def test_facts_are_the_lines_of_the_ledger(self, run_dir: Path) -> None:
        (file,) = (run_dir / "ledger").iterdir()

        told = ask("SELECT fact FROM facts ORDER BY seq", run_dir)

        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [json.loads(str(fact)) for (fact,) in told] == lines
        assert ask(
            "SELECT event, fact->>'task', time < TIMESTAMP '2999-01-01' FROM facts"
            " WHERE event = 'submit.accepted' AND attempt LIKE '%-1'",
            run_dir,
        ) == [
            ("submit.accepted", line["task"], True)
            for line in lines
            if line["event"] == "submit.accepted" and line["attempt"].endswith("-1")
        ]

    def test_copies_of_a_ledger_file_count_once(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        twice = tmp_path / "twice"
        shutil.copytree(run_dir, twice)
        (file,) = (twice / "ledger").iterdir()
        shutil.copy(file, file.with_name("copy.jsonl"))

        both = ask("SELECT run, count(*) FROM facts GROUP BY ALL", run_dir, twice)

        assert len(both) == 2
        assert len({count for _, count in both}) == 1

    def test_attempts_say_why_they_failed(self, run_dir: Path) -> None:
        found = ask(
            'SELECT phase, number, "error.class", "time.downloaded" IS NULL'
            " FROM attempts ORDER BY phase",
            run_dir,
        )

        assert found == [("done", 1, None, False), ("failed", 1, "service", True)]

    def test_a_refused_attempt_says_why(self) -> None:
        refused = SubmitRefused(
            job=JOB.job, attempt=FIRST, error_class="rate", code="429", message="Wait."
        )
        state = state_of(JOB, INTENDED, refused)

        (row,) = attempts_table([("sea", state, ())]).rows

        assert (row["phase"], row["error.class"], row["error.code"]) == (
            "new",
            "rate",
            "429",
        )

    def test_an_attempt_that_is_under_way_is_being_submitted(self) -> None:
        told = [
            attempts_table([("sea", state_of(JOB, INTENDED), live)]).rows[0]["phase"]
            for live in ((), (RUN,))
        ]

        assert told == ["held", "submitting"]

    def test_runs_are_told_apart(self, run_dir: Path, tmp_path: Path) -> None:
        other = tmp_path / "runs" / run_dir.name
        shutil.copytree(run_dir, other)

        found = ask("SELECT run, count(*) FROM jobs GROUP BY run", run_dir, other)

        assert sorted(n for _, n in found if isinstance(n, int)) == [2, 2]
        assert len({run for run, _ in found}) == 2

    def test_no_job_is_an_empty_table_with_all_columns(self, tmp_path: Path) -> None:
        (tmp_path / "ledger").mkdir()

        assert ask('SELECT "media.duration_s", credits FROM results', tmp_path) == []
        assert ask("SELECT count(*) FROM facts", tmp_path) == [(0,)]

    def test_values_are_such_as_json_holds(self, run_dir: Path) -> None:
        sql = (
            "SELECT 1.5::DECIMAL(3, 1), 2::DECIMAL(3, 1), sum(2::BIGINT),"
            " 'nan'::DOUBLE, TIMESTAMP '2026-01-01 10:00:00', DATE '2026-01-02',"
            " [1, NULL], {'a': 'x'}, 'ab'::BLOB, INTERVAL 1 DAY"
        )

        assert ask(sql, run_dir) == [
            (
                1.5, 2, 2, None, "2026-01-01T10:00:00.000Z", "2026-01-02", [1, None],
                {"a": "x"}, "6162", "1 day, 0:00:00",
            )
        ]  # fmt: skip


class TestReach:
    """SQL reads and writes the tables, and nothing else."""

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM read_text('{path}')",
            "SELECT * FROM '{path}'",
            "COPY jobs TO '{path}.csv'",
            "ATTACH '{path}.db'",
            "SET enable_external_access = true",
            "SET lock_configuration = false",
            "INSTALL httpfs",
            "SELECT * FROM secret",
        ],
    )
    def test_what_is_elsewhere_is_out_of_reach(
        self, run_dir: Path, tmp_path: Path, sql: str
    ) -> None:
        secret = tmp_path / "secret.csv"
        secret.write_text("a,b\n1,2\n")
        with pytest.raises(UsageError, match="cannot be run"):
            ask(sql.replace("{path}", str(secret)), run_dir)

        assert list(tmp_path.iterdir()) == [secret]

    def test_a_variable_of_this_process_is_no_table(
        self, run_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = {"a": np.arange(3)}
        monkeypatch.setattr("foxbatch.results.sql.secret", secret, raising=False)

        with pytest.raises(UsageError, match="secret"):
            ask("FROM secret", run_dir)

    def test_the_ledger_is_never_changed(self, run_dir: Path) -> None:
        before = {p: p.read_bytes() for p in run_dir.rglob("*") if p.is_file()}

        ask("DELETE FROM jobs; DROP TABLE facts; SELECT 1", run_dir)

        after = {p: p.read_bytes() for p in run_dir.rglob("*") if p.is_file()}
        assert after == before

    @pytest.mark.parametrize("sql", ["", "  \n", "-- nothing"])
    def test_no_sql_asks_for_nothing(self, run_dir: Path, sql: str) -> None:
        with (
            api.open_tables([run_dir]) as database,
            pytest.raises(UsageError, match="asks for nothing"),
        ):
            database.ask(sql)
        with (
            api.open_tables([run_dir]) as database,
            pytest.raises(UsageError, match="asks for nothing"),
        ):
            database.parquet(sql)

    def test_an_error_while_rows_are_read_is_one_of_usage(self, run_dir: Path) -> None:
        late = (
            "SELECT CASE WHEN i = 50000 THEN error('late') END FROM range(60000) t(i)"
        )

        with pytest.raises(UsageError, match="late"):
            ask(late, run_dir)


class TestParquet:
    def test_types_are_the_same_in_every_run(
        self, run_dir: Path, tmp_path: Path, type_: Type
    ) -> None:
        empty = tmp_path / "empty"
        (empty / "ledger").mkdir(parents=True)
        type_("results", run_dir, "-o", tmp_path / "one.parquet")
        type_("results", empty, "-o", tmp_path / "none.parquet")

        def types(name: str) -> dict[str, str]:
            rows = read(f"DESCRIBE FROM '{tmp_path / name}'")
            return {str(row[0]): str(row[1]) for row in rows}

        whole, nothing = types("one.parquet"), types("none.parquet")
        assert nothing.items() <= whole.items()
        assert {n for n in whole if n not in nothing} == {
            n for n in whole if n.startswith(("cell.", "param."))
        }
        assert nothing["media.duration_s"] == nothing["credits"] == "DOUBLE"
        assert nothing["artifact.bytes"] == nothing["seed"] == "BIGINT"
        assert nothing["time.planned"] == "TIMESTAMP"

    def test_it_says_what_csv_says(
        self, run_dir: Path, tmp_path: Path, type_: Type
    ) -> None:
        type_("results", run_dir, "-o", tmp_path / "a.parquet")
        type_("results", run_dir, "-o", tmp_path / "a.csv")

        def told(name: str) -> list[tuple[object, ...]]:
            columns = 'job, phase, credits, "media.width", "param.duration"'
            planned = "strftime(\"time.planned\", '%c')"
            return read(
                f"FROM '{tmp_path / name}' SELECT {columns}, {planned} ORDER BY job"
            )

        assert told("a.parquet") == told("a.csv")
        assert len(told("a.csv")) == 2

    def test_it_goes_into_a_pipe_and_not_to_a_terminal(
        self, run_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", stream)

        code = foxbatch_main("results", run_dir, "--format", "parquet")

        stream.flush()
        written = stream.buffer
        assert isinstance(written, io.BytesIO)
        assert code == 0
        assert written.getvalue().startswith(b"PAR1")
        assert written.getvalue().endswith(b"PAR1")
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        assert foxbatch_main("results", run_dir, "--format", "parquet") == 2

    def test_without_duckdb_the_extra_is_named(
        self, run_dir: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "duckdb", None)

        with pytest.raises(MissingExtraError), api.open_tables([run_dir]):
            pass
        ended = type_("query", run_dir, "FROM jobs")

        assert ended.code == 2
        assert "pip install 'foxbatch[analytics]'" in ended.err
        assert type_("results", run_dir, "--format", "csv").code == 0


def foxbatch_main(*words: object) -> int:
    from foxbatch.cli import main

    return main([str(word) for word in words])


class TestTheCommand:
    def test_a_table_for_people(self, run_dir: Path, type_: Type) -> None:
        ended = type_(
            "query",
            run_dir,
            "SELECT phase, count(*) AS n, 2.50 AS x, true AS t, NULL AS e FROM jobs"
            " GROUP BY phase ORDER BY phase",
        )

        assert ended.code == 0
        assert ended.out.splitlines() == [
            "phase   n    x  t     e",
            "done    1  2.5  true  -",
            "failed  1  2.5  true  -",
        ]
        assert ended.err == "2 rows\n"

    def test_json_lines_keep_columns_of_one_name(
        self, run_dir: Path, type_: Type
    ) -> None:
        ended = type_(
            "query", run_dir, "SELECT 1 AS a, 2 AS a, [3] AS b", "--format", "jsonl"
        )

        assert json.loads(ended.out) == {"a": 1, "a_2": 2, "b": [3]}

    def test_csv(self, run_dir: Path, type_: Type) -> None:
        sql = "SELECT 'a,b' AS a, true AS t, NULL AS n, [1] AS l, 2.0::DOUBLE AS d"

        ended = type_("query", run_dir, sql, "--format", "csv")

        assert ended.out == 'a,t,n,l,d\n"a,b",true,,[1],2.0\n'

    def test_parquet_by_the_name_of_the_file(
        self, run_dir: Path, type_: Type, tmp_path: Path
    ) -> None:
        path = tmp_path / "answer.parquet"

        ended = type_("query", run_dir, "SELECT name, credits FROM jobs", "-o", path)

        assert (ended.code, ended.out) == (0, "")
        assert len(read(f"FROM '{path}'")) == 2

    def test_sql_from_a_file_or_standard_input(
        self,
        run_dir: Path,
        type_: Type,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        path = tmp_path / "q.sql"
        path.write_text("-- how many\nSELECT count(*) AS n FROM jobs")
        monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 7 AS n"))

        from_file = type_("query", run_dir, "--file", path, "--format", "csv")
        typed = type_("query", run_dir, "-", "--format", "csv")

        assert (from_file.out, typed.out) == ("n\n2\n", "n\n7\n")

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("SELEC 1", 'syntax error at or near "SELEC"'),
            ("SELECT nope FROM jobs", 'column "nope" not found'),
            ("FROM jbs", "Did you mean"),
        ],
    )
    def test_what_is_no_sql_is_told_with_what_there_is(
        self, run_dir: Path, type_: Type, sql: str, words: str
    ) -> None:
        ended = type_("query", run_dir, sql)

        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err
        assert "results, jobs, attempts, artifacts and facts" in ended.err

    @pytest.mark.parametrize("words", [["FROM jobs"], ["RUN"], ["RUN", "RUN"]])
    def test_runs_come_first_and_the_sql_last(
        self, run_dir: Path, type_: Type, words: list[str]
    ) -> None:
        ended = type_("query", *(run_dir if word == "RUN" else word for word in words))

        assert ended.code == 2
        assert "the SQL comes last" in ended.err

    def test_a_file_that_cannot_be_read_is_told(
        self, run_dir: Path, type_: Type, tmp_path: Path
    ) -> None:
        ended = type_("query", run_dir, "--file", tmp_path / "none.sql")

        assert ended.code == 2
        assert "none.sql cannot be read" in ended.err

    def test_a_file_that_names_no_format_is_told(
        self, run_dir: Path, type_: Type
    ) -> None:
        ended = type_("results", run_dir, "-o", "films.txt")

        assert ended.code == 2
        assert "which format" in ended.err

    def test_a_disk_that_refuses_is_told(
        self, run_dir: Path, type_: Type, tmp_path: Path
    ) -> None:
        ended = type_("results", run_dir, "-o", tmp_path / "none" / "a.csv")

        assert ended.code == 4
        assert "a.csv cannot be written: No such file" in ended.err


class TestPython:
    def test_records_of_several_runs_are_one_list(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "copy"
        shutil.copytree(run_dir, other)

        found = foxbatch.load_results(run_dir, str(other))

        assert len(found) == 4
        assert found[:2] == foxbatch.read_results(run_dir)
        assert [label for label, _ in found.runs] == ["sea@sandbox", "copy"]

    def test_one_run_named_twice_is_one_run(self, run_dir: Path) -> None:
        manifest = run_dir.parents[1] / "sea.yaml"

        assert len(foxbatch.load_results(run_dir, manifest)) == 2

    def test_rows_are_flat_and_have_moments(self, run_dir: Path) -> None:
        first, second = foxbatch.load_results(run_dir).rows()

        assert list(first) == list(second)
        planned = first["time.planned"]
        assert isinstance(planned, datetime)
        assert planned.tzinfo is UTC or planned.utcoffset() is not None

    def test_inside_a_running_loop_as_in_a_notebook(self, run_dir: Path) -> None:
        async def cell() -> int:
            return len(foxbatch.load_results(run_dir))

        assert asyncio.run(cell()) == 2

    def test_no_run_is_no_record(self) -> None:
        assert foxbatch.load_results() == []
        assert foxbatch.load_results().rows() == []
