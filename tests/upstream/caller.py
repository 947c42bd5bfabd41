"""Calls named URLs with one HTTP client, as an app under the agent does; prints the status of each.

python caller.py CLIENT JOB-KEY URL ...
"""

import asyncio
import sys


def by_urllib(url):
    import urllib.request

    with urllib.request.urlopen(url, data=b"{}", timeout=5) as answer:
        return answer.status


def by_urllib3(url):
    import urllib3

    return urllib3.PoolManager().request("POST", url, body=b"{}", timeout=5, retries=False).status


def by_requests(url):
    import requests

    return requests.post(url, json={}, timeout=5).status_code


def by_httpx(url):
    import httpx

    return httpx.post(url, json={}, timeout=5).status_code


def by_httpx_async(url):
    import httpx

    async def call():
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.post(url, json={})).status_code

    return asyncio.run(call())


def by_aiohttp(url, run=asyncio.run):
    import aiohttp

    async def call():
        async with aiohttp.ClientSession() as session, session.post(url, json={}) as answer:
            return answer.status

    return run(call())


def by_aiohttp_uvloop(url):
    import uvloop

    return by_aiohttp(url, uvloop.run)


def by_httpx_uvloop(url):
    import httpx
    import uvloop

    async def call():
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.post(url, json={})).status_code

    return uvloop.run(call())


if __name__ == "__main__":
    from jobharness_agent import boot, events

    client, key, *urls = sys.argv[1:]
    boot.recorder.record(events.JOB_RUNNING, bytes.fromhex(key))
    print(*[globals()["by_" + client](url) for url in urls])
