"""`--set`: values that go before those of the file, checked like them."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxbatch.api import check, expand, load_manifest
from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Problem, UsageError
from foxbatch.schema import place

TEXT = """\
foxbatch: 1
name: sea
provider: sandbox
x-usual: &usual {generate_audio: false, duration: 4}
vars: {film: Kodak, looks: [calm, wild]}
defaults: {model: veo-3.1-fast, params: *usual}
jobs:
  - id: sea
    prompts: ["A sea, ${{ vars.film }}, ${{ vars.looks[0] }}"]
  - id: sea.far
    prompts: ["A far sea, ${{ matrix.at }}"]
    matrix: {axes: {at: [noon, dusk]}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "sea.yaml"
    path.write_text(TEXT)
    return path


def value_at(path: Path, where: tuple[str | int, ...], *overrides: str) -> Json:
    value = load_manifest(path, overrides=overrides).manifest.document.value
    for step in where:
        assert isinstance(value, dict | list)
        value = value[step]  # type: ignore[index]
    return value


@pytest.mark.parametrize(
    ("override", "where", "value"),
    [
        ("vars.film=Fuji Velvia", ("vars", "film"), "Fuji Velvia"),
        ("vars.film=''", ("vars", "film"), ""),
        ('vars.film="a: b #1"', ("vars", "film"), "a: b #1"),
        ("vars.film=a=b", ("vars", "film"), "a=b"),
        ("vars.film=no", ("vars", "film"), "no"),
        ("vars.looks.1=dark", ("vars", "looks"), ["calm", "dark"]),
        ("vars.looks=[dark]", ("vars", "looks"), ["dark"]),
        ("jobs.sea.repeat=3", ("jobs", 0, "repeat"), 3),
        ("jobs.sea.far.repeat=2", ("jobs", 1, "repeat"), 2),
        ("jobs.1.repeat=2", ("jobs", 1, "repeat"), 2),
        (
            "jobs.sea.matrix.axes.seed=[1, 2]",
            ("jobs", 0, "matrix", "axes"),
            {"seed": [1, 2]},
        ),
        ("jobs.sea.params.duration=8", ("jobs", 0, "params"), {"duration": 8}),
        ("limits.in_flight=2", ("limits", "in_flight"), 2),
        (
            "defaults.params.duration=6",
            ("defaults", "params"),
            {"generate_audio": False, "duration": 6},
        ),
        ("order=declared", ("order",), "declared"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_value_goes_before_that_of_the_file(
    override: str, where: tuple[str | int, ...], value: Json, path: Path
) -> None:
    assert value_at(path, where, override) == value


def test_what_shares_an_alias_is_not_changed(path: Path) -> None:
    usual = value_at(path, ("x-usual",), "defaults.params.duration=6")

    assert usual == {"generate_audio": False, "duration": 4}


def test_the_last_of_several_wins(path: Path) -> None:
    both = ("vars.film=Fuji", "vars.film=Ilford")

    assert value_at(path, ("vars", "film"), *both) == "Ilford"


def test_identity_follows_from_the_resulting_values_only(path: Path) -> None:
    there = path.with_name("there.yaml")
    there.write_text(TEXT.replace("film: Kodak", "film: Fuji"))

    typed = expand(load_manifest(path, overrides=["vars.film=Fuji"]))
    written = expand(load_manifest(there))

    assert [job.id for job in typed] == [job.id for job in written]


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("vars.flim=x", "there is no 'flim' in vars", "Did you mean vars.film?"),
        ("jobs.see.repeat=2", "no 'see' in jobs", "Did you mean jobs.sea?"),
        ("jobs.sea.repaet=2", "no 'repaet' in jobs.sea", "mean jobs.sea.repeat?"),
        ("limts.in_flight=2", "no 'limts' in the manifest", "Did you mean limits?"),
        ("jobs.sea.let.x=1", "no 'x' in jobs.sea.let", "nothing inside"),
        ("name.x=1", "no 'x' in name", "nothing inside"),
        ("vars.looks.7=1", "no '7' in vars.looks", "nothing inside"),
        ("vars..film=1", "no '' in vars", "Did you mean vars.film?"),
        ("vars.film", "gives no value", "--set PATH=VALUE"),
        ("vars.film=", "gives no value", "vars.film=''"),
        ("=x", "gives no value", "--set PATH=VALUE"),
        ("vars.film=Kodak #400", 'ends before "#400"', "Put quotes inside"),
        ("vars.film=a: b", "is not read as text", "Put quotes inside"),
        ("vars.looks=- a", "is not read as text", "Put quotes inside"),
    ],
)
def test_what_cannot_be_set_is_wrong_usage(
    override: str, message: str, hint: str, path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        load_manifest(path, overrides=[override])

    assert message in str(caught.value)
    assert hint in caught.value.hint


def problems_with(path: Path, *overrides: str) -> tuple[Problem, ...]:
    try:
        return check(load_manifest(path, overrides=overrides)).problems
    except InvalidError as error:
        return error.problems


@pytest.mark.parametrize(
    ("override", "code", "file"),
    [
        ("jobs.sea.repeat=0", "E-RANGE", "--set jobs.sea.repeat"),
        ("order=fast", "E-ENUM", "--set order"),
        ("limits.in_flight=[a", "E-YAML-SYNTAX", "--set limits.in_flight"),
        ("defaults.params.duration=5", "E-ENUM", "--set defaults.params.duration"),
        (
            "defaults.params.durations=5",
            "E-KEY-UNKNOWN",
            "--set defaults.params.durations",
        ),
        ("vars.film=${{ vars.x }}", "E-REF-UNKNOWN", "--set vars.film"),
        ("vars.film=12345678901234567890", "E-NUMBER", "--set vars.film"),
        ("jobs.sea.prompts.0=true", "E-TYPE", "--set jobs.sea.prompts.0"),
    ],
    ids=lambda value: value,
)
def test_a_wrong_value_is_told_at_the_option(
    override: str, code: str, file: str, path: Path
) -> None:
    (problem,) = problems_with(path, override)

    assert (problem.code, problem.position.file) == (code, file)
    assert problem.position.line == 1


def test_a_value_is_never_mended_in_the_file(path: Path) -> None:
    assert all(not one.fix for one in problems_with(path, "vars.film=no"))


def test_places_of_what_was_not_set_stay(path: Path) -> None:
    document = load_manifest(path, overrides=["vars.film=Fuji"]).manifest.document

    assert str(document.position(("vars", "film"))) == "--set vars.film:1:1"
    assert document.position(("vars", "film"), key=True).file == str(path)
    assert document.position(("vars", "looks")).line == 5
    assert place(document.around(document.position(("vars", "looks")))) == "vars.looks"
