"""Ray Serve as its documentation has it: the proxy in front, ``@serve.batch`` in the replica."""

import os
import signal
from pathlib import Path

from model import arguments

if __name__ == "__main__":
    given = arguments()
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"})
    import ray
    from ray import serve
    from starlette.requests import Request
    from starlette.responses import Response

    ray.init(
        address="local",
        include_dashboard=False,
        object_store_memory=75 * 2**20,
        num_cpus=2,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).resolve().parent)}},
    )
    serve.start(
        http_options={"host": "127.0.0.1", "port": given.port},
        logging_config={"log_level": "ERROR", "enable_access_log": False},
    )

    @serve.deployment(max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})
    class Generator:
        def __init__(self):
            from model import load

            self._model = load(given.file, given.threads, given.rows)

        @serve.batch(max_batch_size=given.requests, batch_wait_timeout_s=0.0)
        async def together(self, requests):
            return self._model.together(requests)

        async def __call__(self, request: Request):
            image = await self.together(self._model.read(await request.body()))
            return Response(image.tobytes(), media_type="application/octet-stream")

    serve.run(Generator.bind(), route_prefix="/inference")

    def end(*_):
        serve.shutdown()
        ray.shutdown()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while True:
        signal.pause()
