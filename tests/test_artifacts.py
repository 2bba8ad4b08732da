"""Files whole or not at all, and what is in them."""

from __future__ import annotations

import errno
import json
import os
import wave
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from foxbatch.artifacts import (
    Partial,
    Store,
    Stored,
    extension_for,
    is_page,
    media_facts,
    mismatches,
    sniff,
    verify_stored,
)
from foxbatch.canonical import Digest, JobId, sha256
from foxbatch.errors import RunDirError
from foxbatch.events import MediaFacts

JOB = JobId("abcdefghijklmnopqrst")
OTHER = JobId("zyxwvutsrqponmlkjihg")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def grown(store: Store, *chunks: bytes, job: JobId = JOB, item: int = 1) -> Partial:
    partial = store.partial(job, item)
    for chunk in chunks:
        partial.append(chunk)
    return partial


class TestPartial:
    def test_it_grows_and_always_knows_its_digest(self, store: Store) -> None:
        partial = grown(store, b"one", b"two")
        partial.close()
        partial.append(b"three")
        partial.close()

        assert partial.path.read_bytes() == b"onetwothree"
        assert (partial.size, partial.sha256) == (11, sha256(b"onetwothree"))

    def test_it_remembers_its_first_bytes(self, store: Store) -> None:
        partial = grown(store, b"a" * 500, b"b" * 500, b"c" * 500)
        partial.close()

        assert partial.head == b"a" * 500 + b"b" * 12

    def test_after_a_reset_it_starts_again(self, store: Store) -> None:
        partial = grown(store, b"one")
        partial.validator = '"v1"'

        partial.reset()
        partial.append(b"two")
        partial.close()

        assert partial.path.read_bytes() == b"two"
        assert partial.sha256 == sha256(b"two")
        assert partial.size == 3

    def test_what_an_earlier_process_left_is_not_trusted(self, tmp_path: Path) -> None:
        grown(Store(tmp_path), b"half a film of yesterday").close()

        partial = grown(Store(tmp_path), b"new")
        partial.close()

        assert partial.path.read_bytes() == b"new"

    def test_the_same_result_grows_in_the_same_place(self, store: Store) -> None:
        assert store.partial(JOB, 1) is store.partial(JOB, 1)
        assert store.partial(JOB, 1) is not store.partial(JOB, 2)

    @pytest.mark.parametrize(
        ("number", "hint"),
        [(errno.ENOSPC, "Make room"), (errno.EIO, "Mend that")],
        ids=["full disk", "broken disk"],
    )
    def test_a_disk_that_takes_no_more_ends_the_run_with_a_way_on(
        self, tmp_path: Path, number: int, hint: str
    ) -> None:
        def failing(_descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        partial = grown(Store(tmp_path, fsync=failing), b"film")

        with pytest.raises(RunDirError) as caught:
            Store(tmp_path, fsync=failing).keep(partial, "a", JOB, extension="mp4")

        assert os.strerror(number) in str(caught.value)
        assert caught.value.hint.startswith(hint)


class TestKeep:
    def test_a_file_gets_its_name_with_a_piece_of_the_id(
        self, store: Store, tmp_path: Path
    ) -> None:
        stored = store.keep(grown(store, b"film"), "beach/slow", JOB, extension="mp4")

        assert stored == Stored("artifacts/beach/slow-abcdef.mp4", sha256(b"film"), 4)
        assert (tmp_path / stored.path).read_bytes() == b"film"
        assert not store.partial(JOB, 1).path.exists()

    def test_several_results_are_numbered(self, store: Store) -> None:
        partial = grown(store, b"second", item=2)

        stored = store.keep(partial, "icon", JOB, extension="png", item=2)

        assert stored.path == "artifacts/icon-abcdef-2.png"

    def test_everything_is_on_disk_before_it_returns(self, tmp_path: Path) -> None:
        synced: list[tuple[int, bool]] = []
        target = tmp_path / "artifacts/a/b-abcdef.mp4"

        def fsync(descriptor: int) -> None:
            synced.append((os.fstat(descriptor).st_ino, target.exists()))

        store = Store(tmp_path, fsync=fsync)
        partial = grown(store, b"film")
        partial.close()

        store.keep(partial, "a/b", JOB, extension="mp4")

        artifacts = tmp_path / "artifacts"
        film, a, root, top = (
            each.stat().st_ino for each in (target, target.parent, artifacts, tmp_path)
        )
        assert synced == [(film, False), (root, False), (top, False), (a, True)]

    def test_an_empty_file_is_a_file(self, store: Store, tmp_path: Path) -> None:
        stored = store.keep(store.partial(JOB, 1), "a", JOB, extension="bin")

        assert (tmp_path / stored.path).read_bytes() == b""

    def test_the_same_content_again_changes_nothing(
        self, store: Store, tmp_path: Path
    ) -> None:
        first = store.keep(grown(store, b"film"), "a", JOB, extension="mp4")
        before = (tmp_path / first.path).stat()

        second = store.keep(grown(store, b"film"), "a", JOB, extension="mp4")

        assert second == first
        assert (tmp_path / first.path).stat().st_mtime_ns == before.st_mtime_ns
        assert list((tmp_path / "artifacts/.partial").iterdir()) == []

    def test_other_content_never_replaces_a_file(
        self, store: Store, tmp_path: Path
    ) -> None:
        contents = (b"first", b"second", b"third")

        stored = [
            store.keep(grown(store, each), "a", JOB, extension="mp4")
            for each in contents
        ]

        assert [each.path for each in stored] == [
            "artifacts/a-abcdef.mp4",
            "artifacts/a-abcdef.2.mp4",
            "artifacts/a-abcdef.3.mp4",
        ]
        found = [(tmp_path / each.path).read_bytes() for each in stored]
        assert found == list(contents)

    def test_two_jobs_never_claim_one_name(self, store: Store) -> None:
        mine = store.keep(grown(store, b"a"), "x", JOB, extension="mp4")
        theirs = store.keep(grown(store, b"b", job=OTHER), "x", OTHER, extension="mp4")

        assert mine.path != theirs.path

    def test_a_name_that_is_too_long_is_cut_between_characters(
        self, store: Store, tmp_path: Path
    ) -> None:
        stored = store.keep(grown(store, b"film"), "ü" * 200, JOB, extension="mp4")

        name = Path(stored.path).name
        assert len(name.encode()) <= 255
        assert name.endswith("ü-abcdef.mp4")
        assert (tmp_path / stored.path).exists()

    @pytest.mark.parametrize(
        "output",
        [
            "../a",
            "a/../../b",
            "/etc/passwd",
            "",
            "a\\..\\b",
            "C:/a",
            "a\x00b",
            ".partial/a",
        ],
    )
    def test_no_path_leaves_the_artifacts(
        self, store: Store, tmp_path: Path, output: str
    ) -> None:
        partial = grown(store, b"film")

        with pytest.raises(RunDirError, match="leaves the artifacts folder"):
            store.keep(partial, output, JOB, extension="mp4")

        assert list(tmp_path.rglob("*.mp4")) == []

    @pytest.mark.skipif(os.name == "nt", reason="links need a right there")
    def test_no_link_leads_out_of_the_artifacts(
        self, store: Store, tmp_path: Path
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (tmp_path / "artifacts").mkdir()
        (tmp_path / "artifacts/a").symlink_to(elsewhere)

        with pytest.raises(RunDirError, match="a leads out of the artifacts"):
            store.keep(grown(store, b"film"), "a/b/c", JOB, extension="mp4")

        assert list(elsewhere.iterdir()) == []

    @pytest.mark.skipif(os.name == "nt", reason="links need a right there")
    def test_nothing_is_written_through_artifacts_that_are_a_link(
        self, tmp_path: Path
    ) -> None:
        store = Store(tmp_path / "run")
        partial = grown(store, b"film")
        partial.close()
        outside = tmp_path / "outside"
        (tmp_path / "run/artifacts").rename(outside)
        (tmp_path / "run/artifacts").symlink_to(outside)

        with pytest.raises(RunDirError, match="artifacts leads out"):
            store.partial(OTHER, 1)
        with pytest.raises(RunDirError, match="artifacts leads out"):
            store.keep(partial, "a/b", JOB, extension="mp4")

        assert [each.name for each in outside.iterdir()] == [".partial"]

    @pytest.mark.skipif(os.name == "nt", reason="links need a right there")
    def test_a_link_in_the_place_of_a_growing_file_is_not_followed(
        self, store: Store, tmp_path: Path
    ) -> None:
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        place = store.partial(JOB, 1).path
        place.parent.mkdir(parents=True)
        place.symlink_to(victim)

        store.keep(grown(store, b"film"), "a", JOB, extension="mp4")

        assert victim.read_bytes() == b"precious"
        assert (tmp_path / "artifacts/a-abcdef.mp4").read_bytes() == b"film"

    @pytest.mark.skipif(os.name == "nt", reason="links need a right there")
    def test_a_link_to_the_same_bytes_is_not_taken_for_the_file(
        self, store: Store, tmp_path: Path
    ) -> None:
        (tmp_path / "outside").write_bytes(b"film")
        (tmp_path / "artifacts").mkdir()
        (tmp_path / "artifacts/a-abcdef.mp4").symlink_to(tmp_path / "outside")

        stored = store.keep(grown(store, b"film"), "a", JOB, extension="mp4")

        assert stored.path == "artifacts/a-abcdef.2.mp4"
        assert not (tmp_path / stored.path).is_symlink()

    @pytest.mark.parametrize("extension", ["", "../x", "MP4", "a.b"])
    def test_an_extension_is_a_short_word(self, store: Store, extension: str) -> None:
        with pytest.raises(ValueError, match="no file extension"):
            store.keep(grown(store, b"film"), "a", JOB, extension=extension)

        store.partial(JOB, 1).close()

    def test_a_result_that_is_no_file_is_kept_as_json(
        self, store: Store, tmp_path: Path
    ) -> None:
        stored = store.keep_json({"voice_id": "vx_é"}, "voice", JOB)

        content = (tmp_path / stored.path).read_bytes()
        assert stored.path == "artifacts/voice-abcdef.json"
        assert json.loads(content) == {"voice_id": "vx_é"}
        assert stored.sha256 == sha256(content)

    @given(chunks=st.lists(st.binary(max_size=700), max_size=5))
    def test_what_is_kept_is_what_came(
        self, tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
    ) -> None:
        run_dir = tmp_path_factory.mktemp("run")
        store = Store(run_dir, fsync=lambda _descriptor: None)

        stored = store.keep(grown(store, *chunks), "a", JOB, extension="bin")

        content = b"".join(chunks)
        assert (run_dir / stored.path).read_bytes() == content
        assert (stored.bytes, stored.sha256) == (len(content), sha256(content))


class TestVerify:
    @pytest.fixture
    def stored(self, store: Store) -> Stored:
        return store.keep(grown(store, b"film"), "a", JOB, extension="mp4")

    def verify(self, run_dir: Path, stored: Stored) -> str | None:
        return verify_stored(
            run_dir, path=stored.path, sha256=stored.sha256, size_bytes=stored.bytes
        )

    def test_a_file_as_it_was_stored_is_fine(
        self, tmp_path: Path, stored: Stored
    ) -> None:
        assert self.verify(tmp_path, stored) is None

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "is missing"),
            (b"fil", "has 3 bytes instead of 4"),
            (b"FILM", "has other content"),
        ],
    )
    def test_a_file_that_changed_is_told(
        self, tmp_path: Path, stored: Stored, content: bytes | None, said: str
    ) -> None:
        if content is None:
            (tmp_path / stored.path).unlink()
        else:
            (tmp_path / stored.path).write_bytes(content)

        assert said in (self.verify(tmp_path, stored) or "")

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "artifacts"
        folder.mkdir()
        size = folder.stat().st_size

        assert "cannot be read" in (
            verify_stored(
                tmp_path, path="artifacts", sha256=Digest("0" * 64), size_bytes=size
            )
            or ""
        )

    @pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "C:\\x"])
    def test_a_ledger_cannot_point_elsewhere(self, tmp_path: Path, path: str) -> None:
        stored = Stored(path, Digest("0" * 64), 1)

        assert "no path inside" in (self.verify(tmp_path, stored) or "")

    @pytest.mark.skipif(os.name == "nt", reason="links need a right there")
    def test_a_link_cannot_either(self, tmp_path: Path) -> None:
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        (tmp_path / "secret").write_bytes(b"film")
        (run_dir / "a").symlink_to(tmp_path / "secret")

        stored = Stored("a", sha256(b"film"), 4)

        assert "leads out" in (self.verify(run_dir, stored) or "")


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
class TestCheck:
    """What must be known before anything is bought."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        outside = tmp_path / "outside"
        outside.mkdir()
        (tmp_path / "run").mkdir()
        return outside

    @pytest.mark.parametrize("link", ["artifacts", "artifacts/.partial", "artifacts/a"])
    @pytest.mark.parametrize("target", ["outside", "gone"])
    def test_a_link_that_leads_out_is_named(
        self, tmp_path: Path, outside: Path, link: str, target: str
    ) -> None:
        place = tmp_path / "run" / link
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(outside.with_name(target))

        with pytest.raises(RunDirError) as caught:
            Store(tmp_path / "run").check(["b/c", "a/b/c"])

        assert str(caught.value).startswith(f"{place} leads out of the artifacts")
        assert "Remove that link" in caught.value.hint
        assert list(outside.iterdir()) == []

    def test_a_link_in_a_circle_leads_nowhere(self, store: Store) -> None:
        artifacts = store.partial(JOB, 1).path.parent.parent
        artifacts.symlink_to(artifacts)

        with pytest.raises(RunDirError, match="artifacts"):
            store.check([])

    @pytest.mark.parametrize("file", ["artifacts", "artifacts/a"])
    def test_a_file_where_a_folder_must_be_is_named(
        self, store: Store, tmp_path: Path, file: str
    ) -> None:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"")

        with pytest.raises(RunDirError, match="a file where a folder must be"):
            store.check(["a/b"])

    def test_an_output_that_leaves_the_artifacts_is_named(self, store: Store) -> None:
        with pytest.raises(RunDirError, match=r"'\.\./a' leaves"):
            store.check(["../a"])

    def test_links_inside_and_a_linked_run_directory_are_fine(
        self, tmp_path: Path, outside: Path
    ) -> None:
        (outside / "artifacts/b").mkdir(parents=True)
        (outside / "artifacts/a").symlink_to(outside / "artifacts/b")
        (tmp_path / "linked").symlink_to(outside)
        store = Store(tmp_path / "linked")

        store.check(["a/b", "c"])
        stored = store.keep(grown(store, b"film"), "a/b", JOB, extension="mp4")

        assert (outside / "artifacts/b/b-abcdef.mp4").read_bytes() == b"film"
        assert stored.path == "artifacts/a/b-abcdef.mp4"

    def test_nothing_is_written(self, store: Store, tmp_path: Path) -> None:
        store.check(["a/b"])

        assert list(tmp_path.iterdir()) == []


class TestSniff:
    @pytest.mark.parametrize(
        ("head", "extension"),
        [
            (b"\x00\x00\x00\x18ftypmp42", "mp4"),
            (b"\x00\x00\x00\x18ftypisom", "mp4"),
            (b"\x00\x00\x00\x14ftypqt  ", "mov"),
            (b"\x00\x00\x00\x18ftypM4A ", "m4a"),
            (b"\x1aE\xdf\xa3\x01", "webm"),
            (b"\x89PNG\r\n\x1a\n", "png"),
            (b"\xff\xd8\xff\xe0", "jpg"),
            (b"GIF89a", "gif"),
            (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
            (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
            (b"ID3\x04", "mp3"),
            (b"\xff\xfb\x90", "mp3"),
            (b"OggS", "ogg"),
            (b"fLaC", "flac"),
            (b"PK\x03\x04", "zip"),
            (b"%PDF-1.7", "pdf"),
            (b"#EXTM3U\nhttp://evil.example/a.ts", None),
            (b"", None),
        ],
    )
    def test_the_first_bytes_tell(self, head: bytes, extension: str | None) -> None:
        assert sniff(head) == extension

    @pytest.mark.parametrize(
        ("content_type", "extension"),
        [
            ("video/mp4", "mp4"),
            ("Video/WebM; codecs=vp9", "webm"),
            ("audio/mpeg", "mp3"),
            ("application/octet-stream", "bin"),
            ("../../x", "bin"),
            (None, "bin"),
        ],
    )
    def test_where_they_do_not_the_type_does(
        self, content_type: str | None, extension: str
    ) -> None:
        assert extension_for(b"\x01\x02", content_type) == extension

    @pytest.mark.parametrize(
        ("head", "content_type", "expected"),
        [
            (b"<!DOCTYPE html>", "video/mp4", True),
            (b"\xef\xbb\xbf \n<html>", None, True),
            (b"<?xml version='1.0'?><Error>", None, True),
            (b'{"error": 1}', None, True),
            (b"AccessDenied", "text/html; charset=utf-8", True),
            (b"\x00\x00\x00\x18ftypmp42", "text/html", False),
            (b"\x47\x40\x00\x10", "video/mp2t", False),
        ],
    )
    def test_a_page_is_told_from_a_film(
        self, head: bytes, content_type: str | None, *, expected: bool
    ) -> None:
        assert is_page(head, content_type) is expected


av = pytest.importorskip("av")


def make_video(path: Path, *, frames: int = 30, sound: bool = False) -> Path:
    """Write a clip of 128×72 at 15 frames per second."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=15)
        video.width, video.height, video.pix_fmt = 128, 72, "yuv420p"
        audio = (
            container.add_stream("aac", rate=44_100, layout="stereo") if sound else None
        )
        for _ in range(frames):
            container.mux(video.encode(av.VideoFrame(128, 72, "yuv420p")))
        container.mux(video.encode())
        if audio is not None:
            for index in range(80):
                frame = av.AudioFrame("fltp", "stereo", 1024)
                for plane in frame.planes:
                    plane.update(bytes(plane.buffer_size))
                frame.sample_rate, frame.pts = 44_100, index * 1024
                frame.time_base = Fraction(1, 44_100)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


class TestMediaFacts:
    def test_a_film_without_sound(self, tmp_path: Path) -> None:
        facts = media_facts(make_video(tmp_path / "a.mp4"), "video")

        assert facts == MediaFacts(
            kind="video", duration_s=2.0, width=128, height=72, video_codec="mpeg4"
        )

    def test_a_film_with_sound(self, tmp_path: Path) -> None:
        facts = media_facts(make_video(tmp_path / "a.mp4", sound=True), "video")

        assert facts.audio_codec == "aac"

    def test_a_picture(self, tmp_path: Path) -> None:
        image = pytest.importorskip("PIL.Image")
        image.new("RGB", (40, 30)).save(tmp_path / "a.png")

        facts = media_facts(tmp_path / "a.png", "image")

        assert facts == MediaFacts(kind="image", width=40, height=30)

    def test_a_sound(self, tmp_path: Path) -> None:
        with wave.open(str(tmp_path / "a.wav"), "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", ""))
            file.writeframes(b"\x00\x00" * 4_000)

        facts = media_facts(tmp_path / "a.wav", "audio")

        assert facts == MediaFacts(
            kind="audio", duration_s=0.5, audio_codec="pcm_s16le"
        )

    def test_a_broken_film_is_only_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"\x07" * 100)

        assert media_facts(tmp_path / "a.mp4", "video") == MediaFacts(kind="file")

    def test_a_playlist_is_not_played(self, tmp_path: Path) -> None:
        """FFmpeg would fetch the addresses in it."""
        (tmp_path / "a.mp4").write_bytes(b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a\n")

        assert media_facts(tmp_path / "a.mp4", "video") == MediaFacts(kind="file")

    def test_documents_and_values_are_not_opened(self, tmp_path: Path) -> None:
        assert media_facts(tmp_path / "a.zip", "document").kind == "file"
        assert media_facts(tmp_path / "a.json", "video").kind == "json"

    def test_without_the_extra_they_are_unchecked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "av", None)

        assert media_facts(tmp_path / "a.mp4", "video") == MediaFacts(kind="unchecked")


FILM = MediaFacts(
    kind="video",
    duration_s=8.0,
    width=1280,
    height=720,
    video_codec="h264",
    audio_codec="aac",
)


class TestMismatches:
    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            pytest.param({}, [], id="nothing said"),
            pytest.param(
                {
                    "duration": 8,
                    "resolution": "720p",
                    "aspect_ratio": "16:9",
                    "generate_audio": True,
                },
                [],
                id="all as asked",
            ),
            pytest.param({"duration": 7.6}, [], id="within half a second"),
            pytest.param({"duration": 4}, ["asked for 4 s, got 8 s"], id="too long"),
            pytest.param({"duration": "8"}, [], id="a duration that is no number"),
            pytest.param(
                {"resolution": "1080p"},
                ["asked for 1080p, got 1280×720"],
                id="too small",
            ),
            pytest.param({"resolution": "auto"}, [], id="a resolution without a size"),
            pytest.param(
                {"aspect_ratio": "9:16"},
                ["asked for 9:16, got 1280×720"],
                id="on its side",
            ),
            pytest.param({"aspect_ratio": "auto"}, [], id="a ratio without numbers"),
            pytest.param(
                {"generate_audio": False}, ["asked for no sound, got sound"], id="sound"
            ),
            pytest.param(
                {"duration": 4, "resolution": "4k"},
                ["asked for 4 s, got 8 s", "asked for 4k, got 1280×720"],
                id="two at once",
            ),
        ],
    )
    def test_what_was_asked_is_compared_with_what_came(
        self, request_: dict[str, object], expected: list[str]
    ) -> None:
        assert mismatches(FILM, request_, kind="video") == expected

    def test_silence_is_told(self) -> None:
        silent = MediaFacts(kind="video", duration_s=8.0, width=720, height=1280)

        found = mismatches(silent, {"generate_audio": True}, kind="video")

        assert found == ["asked for sound, got none"]

    @pytest.mark.parametrize(
        ("facts", "expected"),
        [
            (MediaFacts(kind="unchecked"), []),
            (MediaFacts(kind="json"), []),
            (MediaFacts(kind="video"), []),
            (MediaFacts(kind="image"), ["asked for video, got image"]),
            (
                MediaFacts(kind="file"),
                ["asked for video, got something that cannot be read"],
            ),
        ],
        ids=lambda value: getattr(value, "kind", ""),
    )
    def test_only_what_could_be_found_out_is_compared(
        self, facts: MediaFacts, expected: list[str]
    ) -> None:
        request = {"duration": 8, "resolution": "720p", "generate_audio": False}

        assert mismatches(facts, request, kind="video") == expected

    def test_a_document_is_a_file(self) -> None:
        assert mismatches(MediaFacts(kind="file"), {}, kind="document") == []
