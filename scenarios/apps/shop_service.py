"""The shop's HTTP service: an order is taken by enqueuing its charge."""

from celery.exceptions import OperationalError
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from scenarios.apps.celery_shop import charge, prepare_to_send

service = FastAPI()
prepare_to_send()


class Order(BaseModel):
    order_id: str
    amount: int


@service.get("/health")
def health():
    return {"status": "up"}


@service.post("/orders", status_code=202)
def take_order(order: Order):
    try:
        job = charge.delay(order.order_id, order.amount)
    except OperationalError as error:
        raise HTTPException(503, "the queue does not answer") from error
    return {"job_id": job.id}
