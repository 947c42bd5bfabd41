"""Tells the verdict to a webhook: signed, tried again when it is refused for now, and never in the way of the gate.

The signature is the scheme of Stripe and Slack: HMAC-SHA256 of "TIMESTAMP.BODY" under the secret, in
`X-Jobharness-Signature: t=TIMESTAMP,v1=HEX`, so that a receiver can refuse what is forged or old.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import jobharness
from jobharness.report.digest import Digest
from jobharness.scenario.model import WebhookSpec

__all__ = ["SIGNATURE", "body_of", "deliver", "signature"]

SIGNATURE = "X-Jobharness-Signature"
TRIES = 4
TIMEOUT_S = 5.0
LONGEST_WAIT_S = 10.0
HEADLINES = {"jobs.lost": "lost", "jobs.stuck": "stuck", "jobs.duplicated": "duplicated", "jobs.dead": "dead"}


def deliver(spec: WebhookSpec, run: Digest, wait: Callable[[float], None] = time.sleep) -> str:
    """Post the verdict of a run. Returns what became of it, in a sentence; raises nothing.

    Answers of 429 and 5xx, and no answer, are tried again up to 3 times, after what `Retry-After` says or 0.5, 1, 2 s. Blocks
    for less than a minute. If it fails the receiver may have it or not; each try has the same `X-Jobharness-Delivery`.
    """
    address = os.environ.get(spec.url_env, "") if spec.url_env else spec.url
    if not address:
        return f"webhook: the environment has no {spec.url_env}; nothing was sent"
    host = urlsplit(address).hostname  # The path of a hook is its secret.
    body = body_of(spec.shape, run)
    problem, pause_s = "", 0.0
    for attempt in range(TRIES):
        if attempt:
            wait(pause_s)
        status, problem, asked_s = _post(address, body, _headers(spec, body, run))
        if 200 <= status < 300:
            return f"webhook: {host} took the verdict" + (f" at attempt {attempt + 1}" if attempt else "")
        if status and status != 429 and status < 500:
            break
        pause_s = min(asked_s if asked_s is not None else 0.5 * 2**attempt, LONGEST_WAIT_S)
    return f"webhook: {host} did not take the verdict ({problem}); the gate is not affected"


def body_of(shape: str, run: Digest) -> bytes:
    """The JSON that is posted: "json" is nested as reports are, "zapier" flat for a catch hook, "slack" a message."""
    counts = {said: run.metric(name).value for name, said in HEADLINES.items()}
    plain: dict[str, Any] = {
        "scenario": run.name,
        "title": run.title,
        "verdict": run.verdict,
        "sentence": run.sentence,
        "exit_code": run.exit_code,
        "seed": run.seed,
        "repeat": run.repeat,
        "report": run.folder,
        "jobharness": jobharness.__version__,
    }
    if shape == "slack":
        return json.dumps(_message(plain, counts)).encode()
    metrics = {name: values["value"] for name, values in run.metrics.items()}
    if shape == "zapier":
        flat = {name.replace(".", "_"): value for name, value in metrics.items()}
        return json.dumps({**plain, **{f"metric_{name}": value for name, value in flat.items()}}).encode()
    return json.dumps({**plain, "metrics": metrics, "story": list(run.story)}).encode()


def _message(plain: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, Any]:
    """A message as Slack's incoming webhooks take it (https://api.slack.com/messaging/webhooks)."""
    text = f"{plain['scenario']}: {plain['verdict']}"
    said = ", ".join(f"{value:g} {word}" for word, value in counts.items() if value)
    lines = [f"*{_escaped(text)}*", _escaped(plain["sentence"]), *([said] if said else []), f"`{_escaped(plain['repeat'])}`"]
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:2900]}}
    return {"text": text, "blocks": [block]}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def signature(secret: str, body: bytes, at_s: int) -> str:
    """The value of the header `X-Jobharness-Signature`. `at_s`: seconds since 1970."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _headers(spec: WebhookSpec, body: bytes, run: Digest) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"jobharness/{jobharness.__version__}",
        "X-Jobharness-Delivery": hashlib.sha256(run.folder.encode() + body).hexdigest()[:32],
    }
    secret = os.environ.get(spec.secret_env, "") if spec.secret_env else ""
    if secret:
        headers[SIGNATURE] = signature(secret, body, int(time.time()))
    return headers


def _post(address: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, float | None]:
    """`(status or 0, what is wrong, how long to wait as the answer asks)`."""
    try:
        request = urllib.request.Request(address, data=body, headers=dict(headers), method="POST")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return answer.status, "", None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, f"HTTP {error.code}", _asked_s(error.headers.get("Retry-After"))
    except (OSError, ValueError) as error:
        return 0, str(getattr(error, "reason", error)), None


def _asked_s(header: str | None) -> float | None:
    """What Retry-After asks for, as seconds or as a date; None where it asks for nothing sensible."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
