"""Secrets never reach a report."""

from pathlib import Path

import polars as pl
import pytest

from jobharness.runner.masking import mask_log, masked_texts, without_secrets

TEXTS = [
    ("redis://:hunter2@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
    ("amqp://shop:hunter2@mq.example/shop", "amqp://shop:***@mq.example/shop"),
    ("cannot reach amqp://shop:p@ss/w@mq.example now", "cannot reach amqp://shop:***@mq.example now"),
    ("https://0a1b2c3d@o1.ingest.sentry.io/5", "https://***@o1.ingest.sentry.io/5"),
    ("host=db user=shop password=hunter2 dbname=shop", "host=db user=shop password=*** dbname=shop"),
    ("GET /pay?access_token=abc123&page=2", "GET /pay?access_token=***&page=2"),
    ("KeyError: {'api_key': 'abc 123', 'page': 2}", "KeyError: {'api_key': ***, 'page': 2}"),
    ("401 for Authorization: Bearer abcdefgh12345", "401 for Authorization: *** ***"),
    ("used Bearer abcdefgh12345", "used Bearer ***"),
    ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln in a header", "got *** in a header"),
    ("AKIAIOSFODNN7EXAMPLE was refused", "*** was refused"),
    ("sk_live_abcdefgh1234 and ghp_abcdefgh1234", "*** and ***"),
    ("https://example.com/a?page=2#top", "https://example.com/a?page=2#top"),
    ("TypeError: charge() takes 2 arguments", "TypeError: charge() takes 2 arguments"),
    ("3225f7b3-1d08-44a8-a273-5809e9f2036e", "3225f7b3-1d08-44a8-a273-5809e9f2036e"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "shown"), TEXTS)
def test_a_secret_in_running_text_is_masked_alike_in_a_value_and_in_a_column(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert masked_texts(pl.Series([text])).to_list() == [shown]


def test_a_value_whose_name_speaks_of_a_secret_is_masked_whatever_it_holds() -> None:
    seen = {"broker_password": "a", "nested": [{"API_KEY": 5, "page": 5}], "credentials": {"user": "shop"}, "token": None}
    assert without_secrets(seen) == {
        "broker_password": "***",
        "nested": [{"API_KEY": "***", "page": 5}],
        "credentials": "***",
        "token": None,
    }


def test_names_that_the_user_lists_are_secret_too() -> None:
    assert without_secrets({"card_number": "4111", "amount": 5}, also=["CARD"]) == {"card_number": "***", "amount": 5}


def test_a_secret_after_its_flag_on_a_command_line_is_masked() -> None:
    command = ["jobharness", "run", "--password", "hunter2", "--api-key=hunter2", "-v", "a.toml"]
    assert without_secrets(command) == ["jobharness", "run", "--password", "***", "--api-key=***", "-v", "a.toml"]


def test_a_log_is_masked_line_by_line_and_one_without_a_secret_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "worker-1.log"
    log.write_bytes(b"connected to redis://:hunter2@db/0\nready \xff\n")
    mask_log(log)
    assert log.read_text(encoding="utf-8") == "connected to redis://:***@db/0\nready \ufffd\n"
    log.write_bytes(b"ready \xff\n")
    mask_log(log)
    assert log.read_bytes() == b"ready \xff\n"
