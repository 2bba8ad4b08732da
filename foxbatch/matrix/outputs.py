"""Output paths: the user's template, with values that cannot make folders."""

from __future__ import annotations

import re

from foxbatch.canonical import JobId, Json
from foxbatch.matrix.axes import Reading
from foxbatch.matrix.rendering import SAID, Frame, Renderer, Slot
from foxbatch.matrix.reporting import Tally
from foxbatch.matrix.slugs import inserted, safe_step
from foxbatch.template import Template, TemplateError

_ILLEGAL = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f]')
_SHORT = 1_000  # characters of a template, each of whose references gives 60 more
_MAX_PATH = 200  # characters; leaves room for a run directory, a suffix, an extension


class Output:
    """The output template of one spec."""

    def __init__(self, reading: Reading, renderer: Renderer) -> None:
        self._reading, self._renderer = reading, renderer
        text = reading.spec.output
        owner = reading.manifest.document.value
        jobs = owner.get("jobs") if isinstance(owner, dict) else None
        job = jobs[int(reading.spec.where[1])] if isinstance(jobs, list) else None
        own = isinstance(job, dict) and "output" in job
        where = (*reading.spec.where, "output") if own else ("defaults", "output")
        self.slot: Slot = renderer.slot(text, where)
        self._template = Template.parse(text) if self.slot.pattern else None
        if self._template is not None:
            self._check(self._template)
        if self.slot.lets:
            self._refuse_lets(text)

    def _refuse_lets(self, text: str) -> None:
        """Report each `let` value: paths are made of what people filter by."""
        self._template = None
        names = [name for name in Template.parse(text).names if name.namespace == "let"]
        errors = [
            TemplateError(
                "E-REF-NAMESPACE",
                f'"{name}" cannot be used here: `output` knows no let',
                hint="It may use job.spec, job.name, job.id, matrix.*, vars.* and "
                "repeat.",
                offset=name.offset,
            )
            for name in names
        ]
        error = TemplateError.of(errors)
        for problem in self._renderer.problems(error, self.slot.where):
            self._reading.report(problem)

    def _check(self, template: Template) -> None:
        """Report a path that could leave its folder, or that no system can hold."""
        # A letter stands for every value: it makes no step empty or special.
        literal = "".join(p if isinstance(p, str) else "x" for p in template.parts)
        steps = literal.split("/")
        fault = ""
        if literal.startswith("/"):
            fault = "begins with /"
        elif any(step.strip(" ") in {".", ".."} for step in steps):
            fault = "has a step . or .."
        elif not all(step.strip(" .") for step in steps):
            fault = "has an empty step"
        elif steps[0] == ".partial":
            fault = "begins with .partial, where downloads grow"
        elif found := _ILLEGAL.search(literal):
            fault = f"holds {found[0]!r}, which not every system allows in a name"
        if fault:
            self._template = None
            self._reading.error(
                "E-OUTPUT-PATH",
                f"the output path {fault}",
                self._reading.manifest.document.position(self.slot.where),
                "Write names with / between them; they stay below artifacts/.",
            )

    @property
    def always_fits(self) -> bool:
        """Return whether what was rendered once can be rendered for all such jobs."""
        # Only names and ids change, and these are shorter than what is left.
        return self._template is not None and len(self._template.text) < _SHORT

    def render(self, frame: Frame, *, name: str, job: JobId) -> str:
        """Return the path of one job: relative, POSIX, no extension.

        Raises:
            TemplateError: As `Renderer.render`.
        """
        if self._template is None:
            raise TemplateError(SAID, "reported")
        own: dict[str, Json] = {"spec": self._reading.spec.id, "name": name, "id": job}
        scope = {**self._renderer.scope(self.slot.lets, frame), "job": own}
        text = self._template.render_text(scope, insert=inserted)
        steps = [safe_step(step) for step in text.split("/")]
        path = "/".join(steps)
        if len(path) > _MAX_PATH:
            path = "/".join(step[:40].rstrip(" .") for step in steps[:4])
            path = f"{path[: _MAX_PATH - 21].rstrip('/ .')}-{job}"
        return path

    def count(self, error: TemplateError, tally: Tally, name: str) -> None:
        """Count one job whose path cannot be rendered."""
        if error.code != SAID:
            for problem in self._renderer.problems(error, self.slot.where):
                tally.add(problem, name)
