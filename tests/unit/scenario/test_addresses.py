"""Where texts lead, also where they try to hide it."""

import pytest

from jobharness.scenario.addresses import betrays, normal, places_in


def hosts(text, bare=False):
    return [place.host for place in places_in(text, bare=bare)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("redis://127.0.0.1:6379/0", ["127.0.0.1"]),
        ("redis://user@prod:6379", ["prod"]),
        ("redis://localhost:6379@evil.example.com/0", ["evil.example.com"]),
        ("REDIS://PROD.Example.COM./0", ["prod.example.com"]),
        ("redis://%70rod/0", ["prod"]),
        ("redis://[::ffff:10.0.0.1]:6379", ["::ffff:10.0.0.1"]),
        ("redis://[fe80::1%eth0]/0", ["fe80::1"]),
        ("http://2130706433/", ["2130706433"]),
        ("http://\uff50\uff52\uff4f\uff44.example.com/", ["prod.example.com"]),
        ("http://b\u00fccher.example/", ["xn--bcher-kva.example"]),
        ("http://prod\u3002example\u3002com/", ["prod.example.com"]),
        ("amqp://localhost//;amqp://prod//", ["localhost", "prod"]),
        ("amqp://localhost:5672//;prod:5672", ["prod", "localhost"]),
        ("sentinel://localhost:26379;sentinel://prod:26379", ["localhost", "prod"]),
        ("nats://a:4222,nats://b:4222", ["a", "b"]),
        ("mongodb://u:p@one:1,two:2/shop", ["one", "two"]),
        ("redis://:pa;ss@prod/0", ["prod"]),
        ("postgresql://localhost/shop?host=prod&port=5432", ["prod", "localhost"]),
        ("postgresql://localhost/shop?host=a,b", ["a", "b", "localhost"]),
        ("postgresql:///shop?host=/var/run/postgresql", ["", ""]),
        ("postgresql:///shop?service=shop", ["service shop", ""]),
        ("postgresql://u@one:5432,two:5433/shop", ["one", "two"]),
        ("host=prod dbname=shop", ["prod"]),
        ("dbname=shop host='a,b'", ["a", "b"]),
        ("redis+socket:///tmp/redis.sock", [""]),
        ("unix:///tmp/redis.sock?db=1", [""]),
        ("redis+unix:///tmp/redis.sock", [""]),
        ("sqlite:////srv/shop.sqlite3", [""]),
        ("sqs://", ["sqs"]),
        ("sqs://key:secret@", ["sqs"]),
        ("--broker=redis://prod:6379 --loglevel=info", ["prod"]),
        ('{"broker": "redis://prod"}', ["prod"]),
        ("amqp://", [""]),
        ("jdbc:postgresql://prod:5432/shop", ["prod"]),
        ("a plain text", []),
        ("", []),
    ],
)
def test_every_place_is_found(text, found):
    assert hosts(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("prod:6379", ["prod"]),
        ("a:1,b:2", ["a", "b"]),
        ("10.0.0.1", ["10.0.0.1"]),
        ("::1", ["::1"]),
        ("[::1]:6379", ["::1"]),
        ("a text, of people!", []),
    ],
)
def test_a_bare_host_is_one_where_its_key_says_so(text, found):
    assert hosts(text, bare=True) == found
    assert hosts(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("redis://localhost\\@prod/0", "backslash"),
        ("redis://loc\talhost/0", "control character"),
        ("redis://localhost\n.prod.example.com", "control character"),
        ("redis://:p@ss@localhost/0", "%40"),
        ("redis://localhost/@prod:6379", "%40"),
        ("http://" + "\u00fc" * 80 + "/", "cannot be one"),
    ],
)
def test_what_two_programs_would_read_differently_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        hosts(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("postgresql://billing:secret@db.example.com/shop_live", ("db.example.com", "billing", "shop_live")),
        ("amqp://guest@localhost/%2Fprod", ("localhost", "guest", "prod")),
        ("https://user:secret@shop.example.com/live/health", ("shop.example.com", "user")),
        ("postgresql://localhost/?dbname=prod", ("localhost", "prod")),
    ],
)
def test_names_are_kept_as_they_are_written_and_passwords_are_not(text, names):
    assert [place.names for place in places_in(text)] == [names]


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("prod", "prod"),
        ("redis.PROD.example.com", "prod"),
        ("shop-prod2", "prod"),
        ("prod2db", "prod"),
        ("shopProd", "prod"),
        ("shop_live", "live"),
        ("\uff50\uff52\uff4f\uff44", "prod"),
        ("non-prod.example.com", "prod"),
        ("reproduction", None),
        ("delivery", None),
        ("products", None),
        ("nonprod", None),
        ("", None),
    ],
)
def test_production_is_told_by_a_word_of_the_name(name, word):
    assert betrays(name, ("prod", "production", "live", "prd")) == word


def test_hosts_are_compared_in_one_form():
    assert normal("Redis.Example.COM.") == normal("redis.example.com") == normal("\uff32\uff25\uff24\uff29\uff33.example.com")
