"""Waiting, in both ways."""

import asyncio
import time

pause = time.sleep
apause = asyncio.sleep
