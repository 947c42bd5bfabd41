"""The proxy before a real PostgreSQL, with psycopg and asyncpg."""

import asyncio
import uuid

import pytest

from jobharness.history.event import Kind
from tests.support.require import missing

psycopg = pytest.importorskip("psycopg", reason="the client of this test is psycopg")
pytestmark = pytest.mark.real


@pytest.fixture
def table(broker):
    """A table of its own."""
    name = f"jobs_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(broker("postgres").url, autocommit=True) as direct:
        direct.execute(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, what text)")
        yield name
        direct.execute(f"DROP TABLE {name}")


def rows(broker, table):
    with psycopg.connect(broker("postgres").url, autocommit=True) as direct:
        return [what for (what,) in direct.execute(f"SELECT what FROM {table} ORDER BY id")]


@pytest.mark.parametrize("gated", [True, False])
def test_everything_psycopg_does_works_through_the_proxy(wired, table, gated):
    through = wired("postgres", gated)
    with psycopg.connect(through.wire.url_for("worker-1")) as conn:
        with conn.transaction():
            conn.execute(f"INSERT INTO {table} (what) VALUES (%s)", ["x" * 300_000])
        with pytest.raises(psycopg.errors.UndefinedTable), conn.transaction():
            conn.execute("SELECT * FROM nowhere")
        with conn.pipeline():
            found = [conn.execute("SELECT %s::int", [number]) for number in range(20)]
        assert [cursor.fetchone()[0] for cursor in found] == list(range(20))
        with conn.cursor() as cursor, cursor.copy(f"COPY {table} (what) FROM STDIN") as copy:
            for number in range(100):
                copy.write_row([f"row {number}"])
        with conn.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == 101
        with conn.cursor(name="portal") as cursor:
            cursor.execute(f"SELECT id FROM {table}")
            assert len(cursor.fetchall()) == 101
    assert through.seen(Kind.BROKER_UNFRAMED) == []


@pytest.mark.parametrize("gated", [True, False])
def test_everything_asyncpg_does_works_through_the_proxy(wired, table, gated):
    try:
        import asyncpg
    except ImportError:
        missing("asyncpg is not installed")
    through = wired("postgres", gated)

    async def work():
        conn = await asyncpg.connect(through.wire.url_for("worker-1"))
        async with conn.transaction():
            await conn.executemany(f"INSERT INTO {table} (what) VALUES ($1)", [(f"w{n}",) for n in range(50)])
        assert await conn.fetchval(f"SELECT count(*) FROM {table} WHERE what LIKE $1", "w%") == 50
        with pytest.raises(asyncpg.UndefinedTableError):
            await conn.execute("SELECT * FROM nowhere")
        async with conn.transaction():
            assert len([row async for row in conn.cursor(f"SELECT * FROM {table}", prefetch=7)]) == 50
        heard = asyncio.get_running_loop().create_future()
        await conn.add_listener("news", lambda *said: heard.set_result(said[-1]))
        await conn.execute("SELECT pg_notify('news', 'hello')")
        assert await asyncio.wait_for(heard, 10) == "hello"
        await conn.copy_records_to_table(table, records=[("c",)], columns=["what"])
        await conn.close()

    asyncio.run(work())
    assert through.seen(Kind.BROKER_UNFRAMED) == []


def test_lost_commit_undoes_its_transaction_and_the_client_is_told(wired, broker, table):
    through = wired("postgres")
    with psycopg.connect(through.wire.url_for("worker-1")) as conn:
        through.wire.arm("lost", f"COMMIT has={table}", "lose", reset=True)
        conn.execute(f"INSERT INTO {table} (what) VALUES ('x')")
        with pytest.raises(psycopg.OperationalError):
            conn.commit()
    assert rows(broker, table) == []


def test_lost_reply_leaves_the_commit_done(wired, broker, table):
    through = wired("postgres")
    with psycopg.connect(through.wire.url_for("worker-1")) as conn:
        through.wire.arm("unsaid", "COMMIT", "lose_reply", reset=True)
        conn.execute(f"INSERT INTO {table} (what) VALUES ('x')")
        with pytest.raises(psycopg.OperationalError):
            conn.commit()
    assert rows(broker, table) == ["x"]


def test_repeated_insert_arrives_twice_and_is_answered_once(wired, broker, table):
    through = wired("postgres")
    with psycopg.connect(through.wire.url_for("worker-1"), autocommit=True) as conn:
        through.wire.arm("again", "INSERT", "repeat")
        assert conn.execute(f"INSERT INTO {table} (what) VALUES (%s)", ["x"]).rowcount == 1
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert rows(broker, table) == ["x", "x"]


def test_job_with_a_number_for_an_id_is_found_among_the_values(wired, broker, table):
    through = wired("postgres")
    through.enqueued("41", "42")
    with psycopg.connect(through.wire.url_for("worker-1"), autocommit=True) as conn:
        through.wire.arm("lost", "UPDATE job=id:42", "lose", reset=True)
        through.wire.arm("second", "DELETE job=2", "lose", reset=True)
        conn.execute(f"UPDATE {table} SET what = 'y' WHERE id = %s", [41])
        with pytest.raises(psycopg.OperationalError):
            conn.execute(f"UPDATE {table} SET what = 'y' WHERE id = %s", [42])
    with psycopg.connect(through.wire.url_for("worker-1"), autocommit=True) as conn, pytest.raises(psycopg.OperationalError):
        conn.execute(f"DELETE FROM {table} WHERE id = %s", [42])
    assert [(found, label) for _, found, label, _ in through.seen(Kind.FAULT_HIT)] == [("42", "lost"), ("42", "second")]
