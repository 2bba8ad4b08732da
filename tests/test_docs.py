"""What the pages say is so: their commands run, their examples hold, links lead on.

`UPDATE_DOCS=1 pytest tests/test_docs.py` writes what the commands of a page print
today, and the diagram, into the page; read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import foxbatch
from foxbatch import api, errors
from foxbatch.errors import ExitCode, FoxbatchError, InvalidError, Problem
from foxbatch.events import WORDS
from foxbatch.ledger_schema import ledger_schema
from foxbatch.planner import Action
from foxbatch.provider import parse_provider
from foxbatch.results import Record
from foxbatch.sandbox import faults
from foxbatch.sandbox.faults import read_plan
from foxbatch.schema import load_schema
from foxbatch.state import Phase
from tests.pages import (
    PAGES,
    ROOT,
    Block,
    Step,
    anchors,
    blocks,
    is_shown,
    lifecycle_diagram,
    links,
    prose,
    shown,
    steps,
    whole_manifest,
    whole_plan,
    whole_provider,
)

UPDATES = bool(os.environ.get("UPDATE_DOCS"))
DOCS = ROOT / "docs"
PROBLEMS = DOCS / "problems.md"
CODE = re.compile(r"\b[EWN]-[A-Z0-9]+(?:-[A-Z0-9]+)*\b")


def ids(pages: Iterable[Path]) -> list[str]:
    return [shown(page) for page in pages]


# ---- Links


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    dead = [link for link in links(page) if not leads_somewhere(link, page)]

    assert dead == []


def leads_somewhere(link: str, page: Path) -> bool:
    if re.match(r"(https?|mailto):", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target)


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, todo = {ROOT / "README.md"}, [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        targets = {(page.parent / link.split("#")[0]).resolve() for link in links(page)}
        news = {t for t in targets if t.suffix == ".md" and t.exists()} - found
        found |= news
        todo += news

    assert set(PAGES) <= found


# ---- Commands and programs


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.word in ("run", "file")]


RUNNABLE = [p for p in PAGES if any(b.word == "run" for b in runnable(p))]


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[Path, Future[list[str]]]]:
    """Run all pages, several at once: most of the time is spent waiting."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        yield {
            page: pool.submit(follow, page, tmp_path_factory.mktemp("page"))
            for page in RUNNABLE
        }


@pytest.mark.parametrize("page", RUNNABLE, ids=ids(RUNNABLE))
def test_the_commands_of_a_page_print_what_it_shows(
    page: Path, outcomes: dict[Path, Future[list[str]]]
) -> None:
    assert outcomes[page].result() == []


def follow(page: Path, folder: Path) -> list[str]:
    """Do what *page* says in *folder*, and return what went otherwise."""
    wrong = []
    for block in runnable(page):
        match block.word, block.language:
            case "file", _:
                (folder / block.argument).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.argument).write_text(block.text, encoding="utf-8")
            case _, "console":
                wrong += run_console(block, page, folder)
            case _:
                wrong += run_python(block, folder)
    return wrong


def run_console(block: Block, page: Path, folder: Path) -> list[str]:
    """Run the commands of *block* and return what went otherwise than it shows."""
    printed = [(step, shell(step.command, folder)) for step in steps(block)]
    if UPDATES:
        rewrite(page, block, printed)
        return []
    return [
        f"{shown(page)}:{block.line}: {step.command} printed:\n{text}"
        for step, text in printed
        if not is_shown(step.output, text)
    ]


def rewrite(page: Path, block: Block, printed: list[tuple[Step, str]]) -> None:
    """Put into *block* what its commands print now, except where it leaves lines out.

    Blocks that are equal to the letter have equal commands: the first one that is
    still as it was is meant.
    """
    now = "".join(
        f"$ {step.command}\n"
        + (step.output if is_shown(step.output, text) else text.rstrip())
        + "\n" * bool(step.output or text)
        for step, text in printed
    )
    head = f"<!-- run -->\n```console\n{block.text}```"
    content = page.read_text(encoding="utf-8")
    done = content.rfind(head) if block.text == now else content.find(head)
    changed = (
        content[:done] + head.replace(block.text, now) + content[done + len(head) :]
    )
    page.write_text(changed, encoding="utf-8")


def shell(command: str, folder: Path) -> str:
    """Return what *command* prints, on both streams, in a clean environment."""
    home = Path(sys.executable).parent
    environ = {"PATH": f"{home}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environ | {"PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=60,
    )
    return done.stdout.decode()


def run_python(block: Block, folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [f"line {block.line}: {done.stderr}"] if done.returncode else []


# ---- Examples


EXAMPLES = [
    pytest.param(page, block, id=f"{shown(page)}:{block.line}")
    for page in PAGES
    for block in blocks(page)
    if block.language == "yaml" and block.word != "other"
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files that examples name."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "beach.txt").write_text("A dog\nA cat\n", encoding="utf-8")
    (tmp_path / "prompts" / "twice.txt").write_text("A dog\nA dog\n", encoding="utf-8")
    (tmp_path / "prompts" / "latin1.txt").write_bytes(b"Caf\xe9\n")
    (tmp_path / "prompts" / "spaces.txt").write_bytes(b"A dog  \n")
    (tmp_path / "shots.csv").write_text("what,seconds\nA dog,4\n", encoding="utf-8")
    (tmp_path / "shots.yaml").write_text("scenes: [A dog]\n", encoding="utf-8")
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "colour.txt").write_text("red\nblue\n", encoding="utf-8")
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "flowers.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "refs" / "notes.txt").write_text("A list\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("page", "block"), EXAMPLES)
def test_an_example_is_valid_or_has_the_problem_it_stands_under(
    page: Path, block: Block, folder: Path
) -> None:
    code = CODE.search(block.heading) if page == PROBLEMS else None
    for file in blocks(page):
        if file.word == "file" and "/" not in file.argument:
            (folder / file.argument).write_text(file.text, encoding="utf-8")

    found = [problem.code for problem in problems_of(block, folder)]

    if code is None:
        assert [each for each in found if each.startswith("E-")] == []
    else:
        assert code[0] in found


def problems_of(block: Block, folder: Path) -> tuple[Problem, ...]:
    if re.search(r"^rules:", block.text, re.MULTILINE):
        plan = whole_plan(block.text)
        return problems_in(lambda: read_plan(plan, shown_as="it.yaml"))
    is_provider = "E-PROVIDER" in block.heading and "UNKNOWN" not in block.heading
    if is_provider or re.search(r"^(like|models|base_url):", block.text, re.MULTILINE):
        content = whole_provider(block.text).encode()
        return problems_in(
            lambda: parse_provider(content, shown_as="it.yaml", folder=folder)
        )
    path = folder / "manifest.yaml"
    path.write_text(whole_manifest(block.text), encoding="utf-8")
    problems: list[Problem] = []

    def check() -> None:
        problems.extend(api.check(api.load_manifest(path)).problems)

    return (*problems_in(check), *problems)


def problems_in(work: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        work()
    except InvalidError as error:
        return error.problems
    return ()


# ---- Lists that must be complete


def test_every_problem_code_is_explained_and_none_is_stale() -> None:
    sources = [*(ROOT / "foxbatch").rglob("*.py"), *(ROOT / "schemas").rglob("*.json")]
    used = {code for path in sources for code in CODE.findall(path.read_text("utf-8"))}
    told = re.findall(r"^### (.+)$", PROBLEMS.read_text("utf-8"), re.MULTILINE)
    # What has an example is met there, also where the code is put together.
    shown_to_exist = {b.heading for b in blocks(PROBLEMS) if b.language == "yaml"}

    assert used - set(told) == set()
    assert set(told) - used - shown_to_exist == set()
    assert len(set(told)) == len(told)


def test_every_error_class_is_told() -> None:
    text = "\n".join(prose(page) for page in PAGES)
    classes: list[type[FoxbatchError]] = [FoxbatchError, *subclasses(FoxbatchError)]

    missing = [kind.__name__ for kind in classes if f"`{kind.__name__}`" not in text]

    assert missing == []


def subclasses(kind: type[FoxbatchError]) -> Iterator[type[FoxbatchError]]:
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield inner
            yield from subclasses(inner)


def test_every_exit_code_is_told() -> None:
    told = [cell for cell in first_cells(DOCS / "exit-codes.md") if cell.isdecimal()]

    assert sorted(map(int, told)) == sorted(ExitCode)


def test_every_phase_and_action_is_told() -> None:
    text = prose(DOCS / "lifecycle.md")
    words = [*Phase, *Action]

    assert [word for word in words if f"| `{word}` |" not in text] == []


def test_every_event_and_each_of_its_fields_is_told() -> None:
    schema = json.loads(json.dumps(ledger_schema()))
    common = {"v", "seq", "at", "run", "event"}
    real = {
        d["properties"]["event"]["enum"][0]: set(d["properties"]) - common
        for d in schema["$defs"].values()
        if "event" in d["properties"]
    }

    told = dict(sections(DOCS / "ledger.md"))

    assert set(real) == WORDS
    about_attempts = {"job", "attempt"}
    assert {word: told.get(word) for word in real} == {
        word: fields - about_attempts for word, fields in real.items()
    }
    assert common | about_attempts <= told["Common fields"]


def test_every_field_of_a_record_is_told() -> None:
    fields = set(Record.__struct_encode_fields__)

    assert set(first_cells(DOCS / "results.md")) >= fields


def test_every_key_of_a_manifest_is_told() -> None:
    assert keys_of(load_schema("manifest")) - words_of(DOCS / "manifest.md") == set()


def test_every_key_of_a_provider_file_is_told() -> None:
    told = words_of(DOCS / "provider-file.md")

    assert keys_of(load_schema("provider")) - told == set()


def test_every_key_of_a_fault_plan_is_told() -> None:
    told = words_of(DOCS / "fault-plans.md")

    assert keys_of(load_schema("faults")) - told == set()


def test_every_word_of_a_fault_plan_is_told() -> None:
    told = words_of(DOCS / "fault-plans.md")

    assert {*enums_of(load_schema("faults"))} - told == set()


def test_every_fault_plan_is_told_with_its_title() -> None:
    page = DOCS / "fault-plans.md"
    rows = [f"| `{plan.name}` | {plan.title} |\n" for plan in faults.listing()]
    table = re.compile(r"(?<=\| plan \| \|\n\|---\|---\|\n)(\|.*\n)*")
    if UPDATES:
        text = page.read_text(encoding="utf-8")
        page.write_text(table.sub("".join(rows), text), encoding="utf-8")
        return

    found = table.search(page.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == "".join(rows)


def test_every_behaviour_is_told_with_its_fault_plans() -> None:
    """Plans that show many of them at once are left out."""
    rows = re.findall(
        r"^\| (\d+) \| .+ \| (.+) \|$", prose(DOCS / "fault-plans.md"), re.MULTILINE
    )
    told = {int(number): re.findall(r"`([\w-]+)`", plans) for number, plans in rows}
    shown = [plan for plan in faults.listing() if len(plan.behaviours) <= 3]

    assert told == {
        number: [plan.name for plan in shown if number in plan.behaviours]
        for number in range(1, 51)
    }
    assert {int(n) for n, plans in rows if plans == "always there"} <= faults.ALWAYS


def enums_of(schema: object) -> Iterator[str]:
    """Yield the words that *schema* lists as choices."""
    inner: Iterable[object] = schema if isinstance(schema, list) else ()
    if isinstance(schema, dict):
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        inner = schema.values()
    for each in inner:
        yield from enums_of(each)


def words_of(page: Path) -> set[str]:
    """Return the words that stand between backquotes in *page*."""
    code = " ".join(re.findall(r"`([^`\n]+)`", prose(page)))
    return set(re.findall(r"[\w$-]+", code))


def keys_of(schema: object) -> set[str]:
    """Return the names of all properties in *schema*."""
    if isinstance(schema, list):
        return {key for item in schema for key in keys_of(item)}
    if not isinstance(schema, dict):
        return set()
    own = schema.get("properties")
    names = set(own) if isinstance(own, dict) else set()
    return names | {key for item in schema.values() for key in keys_of(item)}


def test_every_option_of_a_run_is_told() -> None:
    told = first_cells(DOCS / "python-api.md")

    assert set(told) >= set(foxbatch.RunOptions.__dataclass_fields__)
    assert set(told) >= set(foxbatch.RunSummary.__dataclass_fields__)


def first_cells(page: Path) -> list[str]:
    """Return the first cells of all table rows of *page*, without their marks."""
    return re.findall(r"^\| `([^`|]+)` \|", prose(page), re.MULTILINE)


def sections(page: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield each heading of *page* with the first cells of the tables below it."""
    parts = re.split(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        cells = re.findall(r"^\| `([^`|]+)` \|", body, re.MULTILINE)
        yield heading.strip("`"), set(cells)


# ---- What is drawn from the code


def test_the_diagram_is_the_table_of_the_lifecycle() -> None:
    page = DOCS / "lifecycle.md"
    (drawn,) = (block for block in blocks(page) if block.language == "mermaid")
    if UPDATES:
        text = page.read_text(encoding="utf-8")
        text = text.replace(drawn.text, lifecycle_diagram())
        page.write_text(text, encoding="utf-8")
        return

    assert drawn.text == lifecycle_diagram()


def test_the_picture_of_the_readme_loads_nothing_from_elsewhere() -> None:
    picture = (ROOT / "docs" / "images" / "run.svg").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\s\"')]+", picture))

    assert addresses <= {"http://www.w3.org/2000/svg", "https://www.textualize.io"}
