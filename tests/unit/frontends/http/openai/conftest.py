from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from helpers.backend import PAINTER, STATUSES, ready
from helpers.http import Service


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    service.backend.statuses = (ready(PAINTER), *STATUSES)
    yield service
    await service.close()
