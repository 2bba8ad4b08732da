"""Recipes made real, whatever they are for, and kept.

film       videos
sound      notes, as WAV, MP3 or Ogg Opus; also those of videos
card       the picture of a pretend video or image
scene      the landscape behind it
lettering  text on it, in any script
shapes     colours and soft-edged shapes
"""

from __future__ import annotations

import dataclasses
import io
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache

from foxbatch.sandbox.media.card import draw_still
from foxbatch.sandbox.media.film import render_clip
from foxbatch.sandbox.media.sound import render_sound
from foxbatch.sandbox.messages import Archive, Clip, Picture, Recipe, Sound

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a ZIP can name
_READABLE = 0o644 << 16


def render(recipe: Recipe) -> bytes:
    """Return the file for *recipe*, the same bytes each time on one machine."""
    match recipe:
        case Clip():
            return render_clip(recipe)
        case Picture():
            return _render_picture(recipe)
        case Sound():
            return render_sound(recipe)
        case Archive():
            return _render_archive(recipe)


def _render_picture(picture: Picture) -> bytes:
    target = io.BytesIO()
    # Each form takes what it knows of the settings; PNG none of them.
    draw_still(picture).save(target, picture.form, quality=86, method=1)
    return target.getvalue()


def _render_archive(archive: Archive) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in archive.members:
            member = zipfile.ZipInfo(name, _LONG_AGO)
            member.create_system = 3  # as on Unix, on every system
            member.external_attr = _READABLE
            member.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(member, text.encode("utf-8", "replace"))
    return target.getvalue()


def stand_in(recipe: Recipe) -> bytes:
    """Return a real file of the right kind, size and length, but with nothing on it.

    There are few different ones, so a simulation of thousands of jobs renders few.
    An archive is what it is: its members are why somebody opens it.
    """
    match recipe:
        case Clip() | Picture():
            return _kept(dataclasses.replace(recipe, prompt="", facts=(), look=""))
        case Sound():
            return _kept(dataclasses.replace(recipe, prompt="", look=""))
        case Archive():
            return render(recipe)


@cache
def _kept(recipe: Recipe) -> bytes:
    return render(recipe)


class RecipeCache:
    """Rendered files, the most recently used ones, up to *limit_bytes* in all.

    Safe to use from several threads; a file that two of them want is rendered once.
    """

    def __init__(
        self,
        render: Callable[[Recipe], bytes] = render,
        *,
        limit_bytes: int = 64 * 2**20,
    ) -> None:
        self._render = render
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._files: OrderedDict[Recipe, Future[bytes]] = OrderedDict()

    def get(self, recipe: Recipe) -> bytes:
        """Return the file for *recipe*, from memory if it is there."""
        with self._lock:
            waiting = self._files.setdefault(recipe, mine := Future[bytes]())
            self._files.move_to_end(recipe)
        if waiting is mine:
            self._fill(recipe, mine)
        return waiting.result()

    def _fill(self, recipe: Recipe, mine: Future[bytes]) -> None:
        try:
            content = self._render(recipe)
        except BaseException as error:
            with self._lock:
                del self._files[recipe]
            mine.set_exception(error)
            raise
        mine.set_result(content)
        self._forget_old(len(content))

    def _forget_old(self, added_bytes: int) -> None:
        with self._lock:
            self._size_bytes += added_bytes
            for recipe, waiting in list(self._files.items()):
                if self._size_bytes <= self._limit_bytes:
                    break
                if waiting.done():
                    del self._files[recipe]
                    self._size_bytes -= len(waiting.result())
