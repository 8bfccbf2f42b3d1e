from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from helpers.http import Service


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service(admin=True)
    yield service
    await service.close()
