"""LitServe: FastAPI in front, a worker process behind; bytes in, bytes out."""

import litserve
from fastapi import Response
from model import arguments, load


class Generator(litserve.LitAPI):
    """Runs batches."""

    def __init__(self, given, **options):
        super().__init__(**options)
        self._given = given

    def setup(self, device):
        self._model = load(self._given.file, self._given.threads, self._given.rows)

    def decode_request(self, request):
        return self._model.read(request)

    def batch(self, inputs):
        return inputs

    def predict(self, requests):
        return self._model.together(requests) if isinstance(requests, list) else self._model(requests)

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return Response(output.tobytes(), media_type="application/octet-stream")


async def take_body(self, request, request_type):
    """LitServe reads JSON or forms; binary payloads are what this bench is about."""
    return await request.body()


if __name__ == "__main__":
    given = arguments()
    from litserve.server import BaseRequestHandler

    BaseRequestHandler._prepare_request = take_body
    api = Generator(given, max_batch_size=given.requests, batch_timeout=0.0)
    server = litserve.LitServer(api, accelerator="cpu", timeout=120)
    server.run(host="127.0.0.1", port=given.port, log_level="error", access_log=False, generate_client_file=False)
