"""The shop's entry for webhooks of its payment provider, signed as Stripe signs them. A payment is taken by enqueuing its charge.

A provider sends again what was not answered in time, and now and then what was: `/webhooks/payments` takes each for a new
payment, `/webhooks/payments/once` knows by the event's id what it has taken. What it knows is in SHOP_WEBHOOKS_DATABASE.
"""

import hashlib
import hmac
import os
import sqlite3
import time
import uuid
from contextlib import closing

from celery.exceptions import OperationalError
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

from scenarios.apps.celery_shop import charge, prepare_to_send

SECRET = os.environ.get("SHOP_WEBHOOK_SECRET", "")
DATABASE = os.environ.get("SHOP_WEBHOOKS_DATABASE", "webhooks.sqlite3")
TOLERANCE_S = 300

service = FastAPI()
prepare_to_send()


class Payment(BaseModel):
    id: str
    order_id: str
    amount: int


@service.get("/health")
def health():
    return {"status": "up"}


async def signed(request):
    """The payment, if the provider has signed it, and not too long ago (https://docs.stripe.com/webhooks#verify-manually)."""
    body = await request.body()
    said = dict(part.split("=", 1) for part in request.headers.get("Stripe-Signature", "").split(",") if "=" in part)
    right = hmac.new(SECRET.encode(), said.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, said.get("v1", "")) or abs(time.time() - int(said["t"])) > TOLERANCE_S:
        raise HTTPException(401, "the signature is not the provider's")
    return Payment.model_validate_json(body)


def enqueue(payment, job_id=None):
    try:
        return charge.apply_async((payment.order_id, payment.amount), task_id=job_id).id
    except OperationalError as error:
        raise HTTPException(503, "the queue does not answer") from error


@service.post("/webhooks/payments", status_code=202)
async def payment_came(request: Request):
    return {"job_id": enqueue(await signed(request))}


@service.post("/webhooks/payments/once", status_code=202)
async def payment_came_once(request: Request):
    """The event is noted in one transaction with its enqueue: what could not be enqueued is not noted, and comes again."""
    payment = await signed(request)
    job_id = str(uuid.uuid5(uuid.NAMESPACE_URL, payment.id))
    with closing(sqlite3.connect(DATABASE, timeout=10)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS payments (event_id TEXT PRIMARY KEY)")
        if connection.execute("INSERT OR IGNORE INTO payments VALUES (?)", (payment.id,)).rowcount:
            enqueue(payment, job_id)
    return {"job_id": job_id}
