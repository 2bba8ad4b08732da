"""One spec on its way to jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foxbatch import canonical
from foxbatch.canonical import Digest, JobId
from foxbatch.errors import Position
from foxbatch.matrix.attachments import as_identified, as_shown
from foxbatch.matrix.axes import Reading
from foxbatch.matrix.cells import Cell, Combination
from foxbatch.matrix.checks import Checks
from foxbatch.matrix.distinct import all_differ
from foxbatch.matrix.duplicates import Identities
from foxbatch.matrix.expansion import Expansion
from foxbatch.matrix.fields import Fields, job_id, prompt_of
from foxbatch.matrix.job import Job, pressed_job
from foxbatch.matrix.moulds import Verdict, digest_of
from foxbatch.matrix.outputs import Output
from foxbatch.matrix.reporting import Seen, Tally
from foxbatch.matrix.requests import Draft, Recipe, parameters
from foxbatch.provider import Model
from foxbatch.template import TemplateError

_MOST_JUDGED = 100
_NO_JOB = JobId("a" * 20)


class Work:
    """Makes the jobs of one spec: pressed where all parts are known, else anew.

    Attributes:
        spec: Its id.
        expansion: Its cells.
    """

    def __init__(
        self, expansion: Expansion, checks: Checks, identities: Identities, tally: Tally
    ) -> None:
        self.expansion, self._product = expansion, expansion.product
        self._checks, self._identities, self._tally = checks, identities, tally
        self._provider = checks.provider
        self._reading: Reading = expansion.reading
        self.spec = self._reading.spec.id
        self._recipe = Recipe(self._reading, self._product, self._provider)
        self._output = Output(self._reading, self._recipe.renderer)
        self._recipe.check(self._output.slot)
        self._recipe.renderer.warn_of_unused_lets()
        self._inert = self._recipe.inert_axes()
        self.fields = Fields(
            self._reading, self._product, self._recipe, checks, self._output
        )
        self._alone: list[Cell] = []
        self._first_number = identities.add(self)
        self._repeats = expansion.repeats
        self._differ = False

    # ---- about cells

    def inert_difference(self, one: Cell, other: Cell) -> tuple[str, Position] | None:
        """Return the axis that tells two cells apart and changes no request."""
        for name in self._inert:
            if one.get(name) is not other.get(name):
                where = self._product.axes[name].where
                return name, self._reading.manifest.document.position(where, key=True)
        return None

    @property
    def parameters(self) -> list[str]:
        """The names that an axis may be meant to feed."""
        return [name for model in self._recipe.models() for name in parameters(model)]

    def name(self, cell: Cell, repeat: int, digest: bytes) -> str:
        """Return the name of a job."""
        return self.fields.names.of(cell, repeat, job_id(digest))

    def cell(self, number: int) -> Cell:
        """Return a cell by its number: those of the product first."""
        if number < self._product.size:
            return self._product.cell(self._product.combination(number))
        return self._alone[number - self._product.size]

    def _number(self, step: Combination | Cell) -> int:
        number = self._product.size + len(self._alone) - 1
        if not isinstance(step, Cell):
            number = self._product.number(step)
        return self._first_number + number

    def digest(self, cell: Cell, repeat: int) -> bytes:
        """Return the digest of a job that was valid, made anew."""
        draft = self._recipe.draft(cell, repeat)
        model, _ = self._checks.model(draft, self._recipe)
        return self._digest(draft, model, repeat) if model is not None else b""

    def _digest(self, draft: Draft, model: Model, repeat: int) -> bytes:
        return bytes.fromhex(
            canonical.job_digest(
                provider=self._provider.id,
                endpoint=model.endpoint,
                request=as_identified(draft),
                repeat=repeat,
            )
        )

    # ---- jobs

    def jobs(self, index: int, most: int, *, differ: bool) -> Iterator[Job | None]:
        """Yield the jobs from number *index* on, None for one that is not valid.

        One more than *most* is counted, and not made. With *differ*, which saves
        looking for equal ones, no spec but this one makes jobs.
        """
        differ = differ and all_differ(self._recipe, self._product)
        self._differ = differ or self._recipe.doubtful
        usual = self._differ and self._repeats.always == 1
        mould = self.fields.mould
        find = _find_nothing if mould is None else mould.find
        made: Iterable[Job | None]
        for step in self.expansion.steps():
            if isinstance(step, Cell):
                self._alone.append(step)
                made = self._plain(step, index, most)
            elif (found := find(step)) is None:
                made = self._plain(step, index, most)
            elif usual and index < most:
                yield self._press(step, found, 1, index)
                index += 1
                continue
            else:
                made = self._several(step, found, index, most)
            for job in made:
                yield job
                index += 1
            if index > most:
                return

    def _press(
        self, at: Combination, found: tuple[Verdict, bytes], repeat: int, index: int
    ) -> Job:
        """Return a job all of whose parts are known."""
        verdict, members = found
        for seen in verdict.seen:
            seen.jobs += 1
        digest = digest_of(verdict, members, repeat)
        return pressed_job((self.fields, at, verdict.model, repeat, index, digest))

    def _several(
        self, at: Combination, found: tuple[Verdict, bytes], index: int, most: int
    ) -> Iterator[Job | None]:
        """Yield the jobs of one cell whose parts are known, if no job equals them."""
        verdict, members = found
        count = self._repeats.of(self._product.cell(at))
        for seen in verdict.seen if index < most else ():
            seen.jobs += count
        for repeat in range(1, count + 1):
            if index >= most:
                yield None
                return
            digest = digest_of(verdict, members, repeat)
            first = self._differ or self._identities.is_first(
                digest, self._number(at), repeat
            )
            pressed = (self.fields, at, verdict.model, repeat, index, digest)
            yield pressed_job(pressed) if first else None
            index += 1

    def _plain(
        self, step: Combination | Cell, index: int, most: int
    ) -> Iterator[Job | None]:
        """Yield the jobs of one cell, rendered and checked for themselves."""
        cell = step if isinstance(step, Cell) else self._product.cell(step)
        count = self._repeats.of(cell)
        made: tuple[Draft, Model | None, list[Seen]] | None = None
        for repeat in range(1, count + 1):
            if index >= most:
                yield None
                return
            if made is None or self._recipe.uses_repeat:
                shared = 1 if self._recipe.uses_repeat else count
                made = self._checked(cell, repeat, shared)
            draft, model, seen = made
            job = self._job(draft, model, index, repeat)
            if job is not None and model is not None:
                if self.fields.mould is not None and not isinstance(step, Cell):
                    self.fields.mould.learn(step, draft, model, seen)
                digest = bytes.fromhex(job.digest)
                first = self._differ or self._identities.is_first(
                    digest, self._number(step), repeat
                )
                job = job if first else None
            yield job
            index += 1

    def judge_some(self) -> None:
        """Check a few jobs that, together, have every value."""
        for cell in self._product.some(_MOST_JUDGED):
            self._checked(cell, 1, 1)

    def _checked(
        self, cell: Cell, repeat: int, jobs: int
    ) -> tuple[Draft, Model | None, list[Seen]]:
        draft = self._recipe.draft(cell, repeat)
        model, problems = self._checks.model(draft, self._recipe)
        seen = [
            self._tally.add(problem, self.fields.names.plain(cell, repeat), jobs)
            for problem in problems
        ]
        return draft, model, seen

    def _check_output(self, draft: Draft, repeat: int) -> None:
        """Count a job that has no valid request, if it had no output path either."""
        name = self.fields.names.plain(draft.cell, repeat)
        try:
            self._output.render(draft.frame, name=name, job=_NO_JOB)
        except TemplateError as error:
            self._output.count(error, self._tally, name)

    def _job(
        self, draft: Draft, model: Model | None, index: int, repeat: int
    ) -> Job | None:
        if model is None:
            self._check_output(draft, repeat)
            return None
        digest = self._digest(draft, model, repeat)
        job = job_id(digest)
        name = self.fields.names.of(draft.cell, repeat, job)
        try:
            frame = draft.frame.again(repeat)
            output = self._output.render(frame, name=name, job=job)
        except TemplateError as error:
            self._output.count(error, self._tally, name)
            return None
        return Job(
            id=job,
            digest=Digest(digest.hex()),
            spec=self.spec,
            name=name,
            index=index,
            cell=draft.cell.values(),
            prompt=prompt_of(draft.request, draft.prompt),
            repeat=repeat,
            provider=self._provider.id,
            endpoint=model.endpoint,
            model=model.name,
            kind=model.kind,
            request=as_shown(draft),
            output=output,
            origin=self.fields.origin(draft.cell),
        )


def _find_nothing(_at: Combination) -> None:
    """Find nothing, where every job is made for itself."""
