"""The API itself: accepts any request, answers 200 with JSON, and writes each one to the history.

A request says which job it belongs to in the header `X-Job-Id`, and what makes it one and the same effect in `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from jobharness.agent.recorder import Recorder
from jobharness.history.event import Kind

__all__ = ["make_api"]


def make_api(recorder: Recorder, latency_s: float) -> Starlette:
    """The ASGI app. Every request is recorded when it arrives and when it is answered."""

    async def answer(request: Request) -> JSONResponse:
        await request.body()
        job_id = request.headers.get("x-job-id", "")
        key, job_text = recorder.job(job_id) if job_id else (b"\0" * 16, 0)
        idempotency = recorder.text(request.headers.get("idempotency-key", "")) or job_text
        route = recorder.text(f"{request.method} {request.url.path}")
        recorder.record(Kind.UPSTREAM_REQUEST, key, task=route, text=idempotency)
        if latency_s:
            await asyncio.sleep(latency_s)
        recorder.record(Kind.UPSTREAM_ANSWERED, key, 200, task=route, text=idempotency)
        return JSONResponse({"ok": True})

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)])


def main(port: str, records: str, latency_s: str) -> None:
    """Serve on 127.0.0.1 until ended."""
    recorder = Recorder(records, "upstream", "upstream")
    api = make_api(recorder, float(latency_s))
    uvicorn.run(api, host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
