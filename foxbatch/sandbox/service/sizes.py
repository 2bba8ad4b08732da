"""How large, how long and how many the results of a request are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service.catalogue import Model

_LINES: Mapping[str, int] = {
    "360p": 360,
    "480p": 480,
    "540p": 540,
    "720p": 720,
    "1080p": 1080,
    "4k": 2160,
}
_RATIO = re.compile(r"(?P<width>[0-9.]+):(?P<height>[0-9.]+)")
_PIXELS = re.compile(r"(?P<width>\d{3,4})x(?P<height>\d{3,4})")

# Pixels of a square picture of each size; other shapes have about as many.
_SIDES: Mapping[str, int] = {
    "512": 512,
    "0.5K": 512,
    "1K": 1024,
    "2K": 2048,
    "4K": 4096,
}
_PRESETS: Mapping[str, tuple[int, int]] = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
_USUAL_S = 5
_FROM_SOUND_S = 10  # where the length follows from a sound that nobody fetches
_EXTENDED_S = 15  # eight seconds, and the seven that were added
_LONGEST_S = 120  # nobody needs to wait for more to be drawn
_LETTERS_PER_S = 15  # of speech
_LONGEST_SPEECH_S = 600
_SONG_S: Mapping[str, int] = {"suno": 120, "lyria": 30, "minimax": 60}
_MOST_ITEMS = 100  # where the service names no limit
_SIDE = range(16, 4097)  # likewise, in pixels


def frame_size(asked: Mapping[str, Json]) -> tuple[int, int]:
    """Return width and height of a video in pixels, both even."""
    lines = _LINES.get(str(asked.get("resolution", "")), 720)
    ratio = str(asked.get("aspect_ratio") or asked.get("size") or "")
    if explicit := _PIXELS.fullmatch(ratio):
        ratio = f"{explicit['width']}:{explicit['height']}"
    if asked.get("orientation") == "portrait":
        ratio = "9:16"
    found = _RATIO.fullmatch(ratio)
    wide = float(found["width"]) / float(found["height"]) if found else 16 / 9
    long = _even(lines * max(wide, 1 / wide))
    return (long, lines) if wide >= 1 else (lines, long)


def picture_size(asked: Mapping[str, Json]) -> tuple[int, int]:
    """Return width and height of a picture in pixels."""
    asked_size = asked.get("image_size") or asked.get("resolution")
    match asked_size:
        case {"width": int(width), "height": int(height)}:
            return width, height
        case int(side):
            side = min(max(side, _SIDE.start), _SIDE[-1])
            return side, side
        case str() if asked_size in _PRESETS:
            return _PRESETS[asked_size]
        case str() if found := _PIXELS.fullmatch(asked_size):
            return int(found["width"]), int(found["height"])
    side = _SIDES.get(str(asked_size or asked.get("quality") or "1K"), 1024)
    found = _RATIO.fullmatch(str(asked.get("aspect_ratio") or asked.get("size") or ""))
    wide = float(found["width"]) / float(found["height"]) if found else 1.0
    return _sixteenths(side * wide**0.5), _sixteenths(side / wide**0.5)


def _even(length: float) -> int:
    return round(length / 2) * 2


def _sixteenths(length: float) -> int:
    return max(16, round(length / 16) * 16)


def duration_s(model: Model, asked: Mapping[str, Json]) -> int:
    """Return the length of a video or a sound in whole seconds, from 1."""
    wanted = asked.get("duration")
    if isinstance(wanted, int) and wanted > 0:
        return min(wanted, _LONGEST_S)
    if model.makes != "video":
        return _sound_s(model, asked)
    if "extend" in model.name:
        return _EXTENDED_S
    by_sound = {"audio_url", "text", "file_urls", "avatar_id"} & set(model.fields)
    return _FROM_SOUND_S if by_sound else _USUAL_S


def _sound_s(model: Model, asked: Mapping[str, Json]) -> int:
    if song_s := _SONG_S.get(model.name.split("-")[0]):
        return song_s
    text = str(asked.get("prompt") or asked.get("text") or "")
    return max(1, min(len(text) // _LETTERS_PER_S + 1, _LONGEST_SPEECH_S))


def has_sound(model: Model, asked: Mapping[str, Json]) -> bool:
    """Return whether a video has sound."""
    for name in ("generate_audio", "keep_audio"):
        if name in model.fields:
            return bool(asked.get(name))
    if asked.get("keep_original_sound") == "no":
        return False
    names = ("audio_url", "text", "audio_setting", "keep_original_sound")
    return model.name.startswith("sora-") or any(name in model.fields for name in names)


def item_count(model: Model, asked: Mapping[str, Json]) -> int:
    """Return how many results there are, from 1."""
    if isinstance(model.items, int):
        return model.items
    wanted = asked.get(model.items)
    if isinstance(wanted, list):
        wanted = len(wanted)
    return min(wanted, _MOST_ITEMS) if isinstance(wanted, int) and wanted > 0 else 1
