"""Nothing but the target is asked: not by an address in a task, nor because the target sends users there."""

from __future__ import annotations

import asyncio
import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from release_gates.probes.load.generator import Generator
from release_gates.probes.load.plan import Phase, Plan

USER = """
    from locust import {user}, constant, task

    class Trader({user}):
        wait_time = constant(0.02)

        @task(20)
        def here(self):
            self.client.get("/ok", name="orders")

        @task
        def there(self):
            self.client.get("{path}", name="orders")
"""


@pytest.mark.parametrize("user", ["FastHttpUser", "HttpUser"])
@pytest.mark.parametrize("way", ["address", "redirect"])
def test_no_request_leaves_the_target(serve: Any, tmp_path: Path, user: str, way: str) -> None:
    async def production(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with serve(production) as elsewhere:
        away = f"http://127.0.0.1:{elsewhere.port}/ok"

        async def staging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await reader.readuntil(b"\r\n\r\n"):
                moved = b"302 Found\r\nLocation: " + away.encode() if b" /away " in head else b"200 OK"
                writer.write(b"HTTP/1.1 " + moved + b"\r\nContent-Length: 0\r\n\r\n")

        with serve(staging) as target:
            path = away if way == "address" else "/away"
            (tmp_path / "locustfile.py").write_text(textwrap.dedent(USER.format(user=user, path=path)))
            plan = Plan(
                target=f"http://127.0.0.1:{target.port}",
                root=str(tmp_path),
                phases=(Phase(tag="steady", seconds=5, users=2),),
                locustfile="locustfile.py",
                timeout_s=2,
            )
            ended = Generator("locust", plan, folder=tmp_path, environ=os.environ).run(lambda _, __: "")
        assert elsewhere.made == 0
    assert ended.how == "failed", (tmp_path / "generator.log").read_text()
    assert f"asked elsewhere: {away} is not at the target" in ended.because
