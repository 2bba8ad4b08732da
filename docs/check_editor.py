"""Ask a real YAML language server what it offers in a manifest, and print it.

    npm install --prefix /tmp/yaml yaml-language-server
    .venv/bin/python docs/check_editor.py /tmp/yaml/node_modules/.bin/*server

It needs no network once the server is installed, and takes a second or two. What is
printed is for a person to read: the labels offered at each place marked `‸`, what
hovering there shows, and what is said about a manifest with mistakes. It ends with 1
where something is missing that must be there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

SCHEMA = Path(__file__).parents[1] / "schemas" / "manifest.editor.schema.json"
HEAD = f"# yaml-language-server: $schema={SCHEMA.as_uri()}\n"
TOP = "foxbatch: 1\nname: demo\nprovider: sandbox\n"
JOB = f"{TOP}jobs:\n  - id: fox\n    model: veo-3.1\n"
PROMPTS = "    prompts: [A fox in the snow]\n"

# The text up to the cursor, and labels that must be among what is offered.
COMPLETIONS: Mapping[str, tuple[str, set[str]]] = {
    "an empty file": ("‸", {"foxbatch", "jobs", "a manifest"}),
    "the top level": (f"{TOP}‸", {"jobs", "defaults", "limits", "vars"}),
    "the provider": ("foxbatch: 1\nname: demo\nprovider: ‸", {"sandbox", "foxapi"}),
    "a rule of the run": (f"{TOP}retry:\n  classes: [‸]", {"capacity", "timeout"}),
    "inside a job": (f"{JOB}    ‸", {"params", "prompts", "matrix", "repeat"}),
    "the model": (f"{TOP}jobs:\n  - id: fox\n    model: ‸", {"veo-3.1"}),
    "a default of the model": (f"{TOP}defaults:\n  model: ‸", {"veo-3.1-fast"}),
    "default parameters": (f"{TOP}defaults:\n  params:\n    ‸", {"resolution"}),
    "prompts": (
        f"{TOP}jobs:\n  - id: fox\n    prompts:\n      - ‸",
        {"a labelled text"},
    ),
    "parameters": (f"{JOB}    params:\n      ‸", {"resolution", "enhance_prompt"}),
    "parameters of the fast model": (
        f"{TOP}jobs:\n  - id: fox\n    model: veo-3.1-fast\n    params:\n      ‸",
        {"resolution", "duration"},
    ),
    "a value": (f"{JOB}    params:\n      resolution: ‸", {"720p", "4k"}),
    "a number": (f"{JOB}    params:\n      duration: ‸", {"4", "6", "8"}),
    "yes or no": (f"{JOB}    params:\n      generate_audio: ‸", {"true", "false"}),
    "the matrix": (f"{JOB}{PROMPTS}    matrix:\n      ‸", {"axes", "exclude"}),
    "axes": (f"{JOB}{PROMPTS}    matrix:\n      axes:\n        ‸", {"duration"}),
    "values of an axis": (
        f"{JOB}{PROMPTS}    matrix:\n      axes:\n        resolution: [‸]",
        {"720p", "1080p"},
    ),
    "forms of an axis": (
        f"{JOB}{PROMPTS}    matrix:\n      axes:\n        seed:\n          ‸",
        {"range", "random", "csv", "a range"},
    ),
    "an exclude": (
        f"{JOB}{PROMPTS}    matrix:\n      exclude:\n        - resolution: ‸",
        {"720p"},
    ),
    "an include": (f"{JOB}{PROMPTS}    matrix:\n      include:\n        - ‸", {"seed"}),
}
HOVERS: Mapping[str, tuple[str, str]] = {
    "a key": (f"{TOP}jobs:\n  - id: fox\n    ‸repeat: 2\n", "How many of each"),
    "a parameter": (
        f"{JOB}    params:\n      ‸resolution: 720p\n",
        "Size of the picture",
    ),
    "a value": (f"{JOB}    params:\n      resolution: ‸720p\n", "1080p"),
    "an axis": (
        f"{JOB}{PROMPTS}    matrix:\n      axes:\n        ‸duration: [4, 6]\n",
        "",
    ),
}
MISTAKES = f"""{JOB}{PROMPTS}    promts: [x]
    params:
      resolution: 720
      aspect_ratio: 16:10
      generate_audio: "yes"
      durration: 4
      seed: ${{{{ matrix.seed }}}}
    matrix:
      axes: {{duration: [4, 5], seed: {{range: {{from: 1, to: 4}}}}}}
retry: {{busy: soon}}
"""


@dataclass
class Server:
    """A language server on the other end of two pipes."""

    sends: IO[bytes]
    hears: IO[bytes]
    _ids: Iterator[int] = field(default_factory=count)
    heard: list[dict[str, Any]] = field(default_factory=list)

    def tell(
        self, method: str, params: Mapping[str, Any], *, number: int | None = None
    ) -> None:
        """Send a notification, or a request where *number* says which."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            body["id"] = number
        self._send(json.dumps(body).encode())

    def ask(
        self, method: str, params: Mapping[str, Any]
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Send a request and return its result."""
        number = next(self._ids)
        self.tell(method, params, number=number)
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                return message.get("result") or {}
            self._answer(message)

    def wait_for(self, method: str, uri: str) -> dict[str, Any]:
        """Return the first notification of a kind about the document at *uri*."""
        while True:
            for message in self.heard:
                if message["method"] == method and message["params"]["uri"] == uri:
                    return message["params"]
            self._answer(self._read())

    def _answer(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            return
        self.heard.append(message)
        if "id" in message:
            items = message.get("params", {}).get("items", [])
            result = [None] * len(items) if items else None
            reply = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            self._send(json.dumps(reply).encode())

    def _send(self, body: bytes) -> None:
        self.sends.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.sends.flush()

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self.hears.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            sys.exit("the server has ended")
        return json.loads(self.hears.read(length))


ABILITIES: Mapping[str, Any] = {
    "completion": {"completionItem": {"snippetSupport": True}},
    "hover": {"contentFormat": ["markdown"]},
}
SETTINGS: Mapping[str, Any] = {
    "completion": True,
    "hover": True,
    "validate": True,
    "schemaStore": {"enable": False},
}


def main() -> int:
    """Start the server that the first argument names, and ask it everything."""
    command = sys.argv[1] if len(sys.argv) > 1 else "yaml-language-server"
    with subprocess.Popen(
        [command, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdin is None or process.stdout is None:
            return 1
        server = Server(process.stdin, process.stdout)
        abilities = {"textDocument": ABILITIES}
        server.ask(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": abilities},
        )
        server.tell("initialized", {})
        server.tell(
            "workspace/didChangeConfiguration", {"settings": {"yaml": SETTINGS}}
        )
        with tempfile.TemporaryDirectory() as folder:
            missing = Check(server, Path(folder)).everything()
        process.kill()
    for one in missing:
        print(f"MISSING {one}")
    return bool(missing)


@dataclass
class Check:
    """What is asked, and what was missing in the answers."""

    server: Server
    folder: Path
    missing: list[str] = field(default_factory=list)
    _documents: Iterator[int] = field(default_factory=count)

    def everything(self) -> list[str]:
        """Ask and print everything; return what must be there and is not."""
        for name, (text, wanted) in COMPLETIONS.items():
            self._completion(name, text, wanted)
        for name, (text, told) in HOVERS.items():
            self._hover(name, text, told)
        self._mistakes()
        return self.missing

    def _open(self, text: str) -> tuple[str, dict[str, Any]]:
        before, _, after = f"{HEAD}{text}".partition("‸")
        uri = (self.folder / f"{next(self._documents)}.yaml").as_uri()
        document = {
            "uri": uri,
            "languageId": "yaml",
            "version": 1,
            "text": before + after,
        }
        self.server.tell("textDocument/didOpen", {"textDocument": document})
        lines = before.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        return uri, {"textDocument": {"uri": uri}, "position": position}

    def _completion(self, name: str, text: str, wanted: set[str]) -> None:
        _, at = self._open(text)
        result = self.server.ask("textDocument/completion", at)
        items = result if isinstance(result, list) else result.get("items", [])
        labels = [item["label"].strip("\"'") for item in items]
        print(f"complete {name}: {', '.join(labels)}")
        if lacks := wanted.difference(labels):
            self.missing.append(f"{name}: {', '.join(sorted(lacks))}")

    def _hover(self, name: str, text: str, told: str) -> None:
        _, at = self._open(text)
        result = self.server.ask("textDocument/hover", at)
        contents = result.get("contents", {}) if isinstance(result, dict) else {}
        shown = contents.get("value", "")
        print(f"hover {name}:", *shown.splitlines(), sep="\n    ")
        if told not in shown or not shown:
            self.missing.append(f"hover {name}: {told}")

    def _mistakes(self) -> None:
        uri, _ = self._open(MISTAKES)
        found = self.server.wait_for("textDocument/publishDiagnostics", uri)
        lines = (HEAD + MISTAKES).split("\n")
        for one in found["diagnostics"]:
            start = one["range"]["start"]
            print(f"mistake {lines[start['line']].strip()}: {one['message']}")


if __name__ == "__main__":
    sys.exit(main())
