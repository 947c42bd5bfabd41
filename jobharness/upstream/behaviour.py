"""How an API treats its callers: what it always does (`Manners`), and what it does while a fault is on
(`Misbehaviour`). Data, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Manners", "Misbehaviour", "QuotaRule"]


class QuotaRule(BaseModel):
    """One quota. `key`: a request header that tells callers apart; all are one where it is empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["token-bucket", "sliding-window", "concurrency"]
    limit: int = Field(ge=1)
    window_s: float = Field(default=1.0, gt=0)
    key: str = ""


class Manners(BaseModel):
    """What the API does as long as nothing goes wrong. `retry_after`: how a 429 says when to come back; `idempotent`: a request
    whose Idempotency-Key was seen takes no effect again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_s: float = 0.0
    quotas: tuple[QuotaRule, ...] = ()
    retry_after: Literal["seconds", "date", "none"] = "seconds"
    limit_headers: bool = True
    idempotent: bool = False


class Misbehaviour(BaseModel):
    """What the API does to a share of its requests while a fault is on.

    `answer`: an HTTP status; "slow" (an answer after `delay_s`), "hang" (none at all), "reset" (the connection is reset before
    anything is done), "reply-lost" (it is done, and then the connection is reset). `paths`: only requests whose path begins so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    answer: int | Literal["slow", "hang", "reset", "reply-lost"]
    share: float = Field(default=1.0, gt=0, le=1)
    delay_s: float = Field(default=0.0, ge=0)
    retry_after_s: float | None = None
    retry_after: Literal["seconds", "date", "none"] = "seconds"
    path: str = ""
    seed: str = ""
