"""Upstream: the API that jobs call misbehaves: 429 with or without Retry-After, 5xx, slow, hanging, reset, done but
not answered."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from jobharness.errors import InvalidRequest
from jobharness.faults.fault import Scene, Target
from jobharness.history.follow import News
from jobharness.scenario.units import parse_duration
from jobharness.upstream.behaviour import Misbehaviour

__all__ = ["UpstreamMisbehaves"]


class UpstreamMisbehaves:
    """For a share of its requests the upstream answers wrongly; the upstream itself records each request that it hit.

    `answer`: an HTTP status such as 429 or 503, or "slow", "hang", "reset" (nothing is done) or "reply-lost" (it is
    done, the answer is not sent). `by`: how much later than usual, for "slow" and for statuses. `retry_after`: what a
    refusal asks the caller to wait, written as `retry_style` ("seconds", "date", "none").
    `path`: only requests whose path begins so.
    """

    kind = "upstream"
    lasting = True
    needs = ("upstream",)

    def __init__(
        self,
        answer: int | str,
        share: float = 1.0,
        by: str = "0s",
        retry_after: str = "0s",
        retry_style: str = "seconds",
        path: str = "",
    ) -> None:
        try:
            self._wrong = Misbehaviour.model_validate(
                {
                    "label": "",
                    "answer": answer,
                    "share": share,
                    "delay_s": parse_duration(by),
                    "retry_after_s": parse_duration(retry_after),
                    "retry_after": retry_style,
                    "path": path,
                }
            )
        except ValidationError as error:
            mistake = error.errors()[0]
            raise InvalidRequest(
                f"fault {self.kind!r}: {mistake['loc'][0]}: {mistake['msg']}, not {mistake['input']!r}"
            ) from None
        except ValueError as error:
            raise InvalidRequest(f"fault {self.kind!r}: {error}") from None

    def strike(self, scene: Scene, news: News | None) -> Sequence[Target]:
        """Tell the upstream."""
        assert scene.upstream is not None  # The scenario was refused otherwise.
        seed = str(scene.random.getrandbits(64))
        scene.upstream.misbehave(self._wrong.model_copy(update={"label": scene.label, "seed": seed}))
        return (Target("upstream", scene.upstream.pid),)

    def undo(self, scene: Scene) -> None:
        """Tell it to behave again."""
        if scene.upstream is not None:
            scene.upstream.behave(scene.label)
