"""What the data plane itself says of a bad request: the words that every transport repeats."""

from __future__ import annotations

import json

from pydantic import ValidationError

from brood.dataplane import DataPlane
from brood.protocol.errors import BroodError
from brood.protocol.requests import GenerateRequest, complaint
from contract.scenarios import Request


async def words_of(plane: DataPlane, request: Request) -> BroodError:
    """The error that the data plane itself has for a JSON body."""
    try:
        await plane.collect(GenerateRequest.model_validate_json(json.dumps(request)), "id-1")
    except ValidationError as error:
        return complaint(error)
    except BroodError as error:
        return error
    raise AssertionError("the request was accepted")
