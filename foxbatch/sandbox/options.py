"""How the pretend service behaves: its size, its clock, and which page it believes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from foxbatch.sandbox.faults import Plan  # reads YAML; most sandboxes have none


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Where the service's pages contradict each other or say nothing.

    The first value of each is the one that a client is safest with.

    Attributes:
        audio_default: `generate_audio` of veo-3.1 and veo-3.1-fast when it is not
            sent; the older page says on, the newer one off.
        images_with_text: What becomes of images sent with text-to-video.
        short_references: What becomes of reference-to-video with 4 or 6 s, which
            only the newer page forbids.
        unknown_fields: Status for a field that the model does not have.
        no_channel: Status when a model has no channel.
        variant_ids: Whether ids such as `veo-3.1[4k]` can be posted; otherwise they
            are only priced.
        default_agents: Whether the default User-Agent of Python's urllib is refused,
            as the service's edge did when clients last saw it.
        retry_after: What a 429 of the sandbox's own limits says.
        refunds: Whether a failed task gives back what was reserved for it.
        dead_inputs: A submission with the link of an upload that is gone is refused,
            or makes a task that fails.
        callbacks: "public": only https and public addresses, none of which the
            sandbox ever calls; "loopback": also this machine, and it is called.
    """

    audio_default: Literal["on", "off"] = "on"
    images_with_text: Literal["refuse", "ignore"] = "refuse"
    short_references: Literal["accept", "refuse"] = "accept"
    unknown_fields: Literal["422", "400"] = "422"
    no_channel: Literal["422", "503"] = "422"
    variant_ids: Literal["refuse", "accept"] = "refuse"
    default_agents: Literal["refuse", "accept"] = "refuse"
    retry_after: Literal["seconds", "none", "huge", "date", "garbage"] = "seconds"
    refunds: Literal["never", "failed"] = "never"
    dead_inputs: Literal["refuse", "fail"] = "refuse"
    callbacks: Literal["public", "loopback"] = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the pretend service behaves. The defaults never say 402 or 429.

    Attributes:
        seed: Of every story; the same seed and requests give the same one.
        speed: Divides the service's durations; 60 makes a minute pass in a second.
        keys: API keys that are accepted, each with the credits it may reserve in
            total (None for no end). None accepts any key.
        keyless: Whether requests without a key are accepted, where any key is.
        credits: What a key may reserve in total where *keys* does not say.
        in_flight: Unfinished tasks of one key, beyond which a submission gets 429.
        requests_per_s: API requests of one key in any second, beyond which it
            gets 429.
        workers: How many tasks are worked on at once; others wait their turn.
        upload_files: How many uploads are kept.
        unsupported: Names of optional fields that no channel honours at present.
        closed: Names of models that have no channel at present.
        switches: Which reading of the service's pages holds.
        plan: What goes wrong, and when.
    """

    seed: int = 0
    speed: float = 1.0
    keys: Mapping[str, int | None] | None = None
    keyless: bool = True
    credits: int | None = None
    in_flight: int | None = None
    requests_per_s: int | None = None
    workers: int | None = None
    upload_files: int = 1000
    unsupported: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    switches: Switches = field(default_factory=Switches)
    plan: Plan | None = None

    def __post_init__(self) -> None:
        if not 0 < self.speed < float("inf"):
            raise ValueError(f"speed must be above 0 and finite, not {self.speed}")
        for name in ("in_flight", "requests_per_s", "workers", "upload_files"):
            limit: int | None = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, not {limit}")
