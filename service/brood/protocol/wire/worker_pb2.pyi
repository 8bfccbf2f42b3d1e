from brood.protocol.wire import generator_pb2 as _generator_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ToWorker(_message.Message):
    __slots__ = ("orders", "payload")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    payload: bytes
    def __init__(self, orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("submit", "credit", "cancel")
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    submit: Submit
    credit: Credit
    cancel: int
    def __init__(self, submit: _Optional[_Union[Submit, _Mapping]] = ..., credit: _Optional[_Union[Credit, _Mapping]] = ..., cancel: _Optional[int] = ...) -> None: ...

class Submit(_message.Message):
    __slots__ = ("chunk", "request_id", "model", "version", "operation", "seed", "index", "n", "params", "inputs", "left_s", "bulk", "tenant", "exact", "progress_every", "preview_every")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _generator_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_generator_pb2.Value, _Mapping]] = ...) -> None: ...
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_S_FIELD_NUMBER: _ClassVar[int]
    BULK_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_EVERY_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_EVERY_FIELD_NUMBER: _ClassVar[int]
    chunk: int
    request_id: str
    model: str
    version: int
    operation: str
    seed: int
    index: int
    n: int
    params: _containers.MessageMap[str, _generator_pb2.Value]
    inputs: _containers.RepeatedCompositeFieldContainer[Tensor]
    left_s: float
    bulk: bool
    tenant: str
    exact: bool
    progress_every: int
    preview_every: int
    def __init__(self, chunk: _Optional[int] = ..., request_id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., operation: _Optional[str] = ..., seed: _Optional[int] = ..., index: _Optional[int] = ..., n: _Optional[int] = ..., params: _Optional[_Mapping[str, _generator_pb2.Value]] = ..., inputs: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ..., left_s: _Optional[float] = ..., bulk: _Optional[bool] = ..., tenant: _Optional[str] = ..., exact: _Optional[bool] = ..., progress_every: _Optional[int] = ..., preview_every: _Optional[int] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("name", "dtype", "shape", "shared")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    name: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    shared: bool
    def __init__(self, name: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., shared: _Optional[bool] = ...) -> None: ...

class Credit(_message.Message):
    __slots__ = ("chunk", "weight")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    chunk: int
    weight: int
    def __init__(self, chunk: _Optional[int] = ..., weight: _Optional[int] = ...) -> None: ...

class FromWorker(_message.Message):
    __slots__ = ("layouts", "told", "status", "payload")
    LAYOUTS_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    layouts: _containers.RepeatedCompositeFieldContainer[Layout]
    told: _containers.RepeatedCompositeFieldContainer[Told]
    status: Status
    payload: bytes
    def __init__(self, layouts: _Optional[_Iterable[_Union[Layout, _Mapping]]] = ..., told: _Optional[_Iterable[_Union[Told, _Mapping]]] = ..., status: _Optional[_Union[Status, _Mapping]] = ..., payload: _Optional[bytes] = ...) -> None: ...

class Layout(_message.Message):
    __slots__ = ("id", "tensors")
    ID_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    id: int
    tensors: _containers.RepeatedCompositeFieldContainer[Tensor]
    def __init__(self, id: _Optional[int] = ..., tensors: _Optional[_Iterable[_Union[Tensor, _Mapping]]] = ...) -> None: ...

class Told(_message.Message):
    __slots__ = ("chunk", "accepted", "sample", "progress", "preview", "done", "refused", "failed")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    chunk: int
    accepted: str
    sample: Sample
    progress: Progress
    preview: Preview
    done: Done
    refused: Error
    failed: Error
    def __init__(self, chunk: _Optional[int] = ..., accepted: _Optional[str] = ..., sample: _Optional[_Union[Sample, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., preview: _Optional[_Union[Preview, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., refused: _Optional[_Union[Error, _Mapping]] = ..., failed: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("index", "layout")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    index: int
    layout: int
    def __init__(self, index: _Optional[int] = ..., layout: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("steps", "of", "finished", "n", "eta_s")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    ETA_S_FIELD_NUMBER: _ClassVar[int]
    steps: int
    of: int
    finished: int
    n: int
    eta_s: float
    def __init__(self, steps: _Optional[int] = ..., of: _Optional[int] = ..., finished: _Optional[int] = ..., n: _Optional[int] = ..., eta_s: _Optional[float] = ...) -> None: ...

class Preview(_message.Message):
    __slots__ = ("index", "layout", "step", "of")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    index: int
    layout: int
    step: int
    of: int
    def __init__(self, index: _Optional[int] = ..., layout: _Optional[int] = ..., step: _Optional[int] = ..., of: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("rows", "steps", "queue_ms", "run_ms")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    RUN_MS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    steps: int
    queue_ms: float
    run_ms: float
    def __init__(self, rows: _Optional[int] = ..., steps: _Optional[int] = ..., queue_ms: _Optional[float] = ..., run_ms: _Optional[float] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "field", "retry_after_s", "index")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_S_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    field: str
    retry_after_s: float
    index: int
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., field: _Optional[str] = ..., retry_after_s: _Optional[float] = ..., index: _Optional[int] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("seen", "worker_id", "interactive_s", "bulk_s", "max_backlog_s", "occupancy", "draining", "models", "costs")
    SEEN_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INTERACTIVE_S_FIELD_NUMBER: _ClassVar[int]
    BULK_S_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKLOG_S_FIELD_NUMBER: _ClassVar[int]
    OCCUPANCY_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    COSTS_FIELD_NUMBER: _ClassVar[int]
    seen: int
    worker_id: str
    interactive_s: float
    bulk_s: float
    max_backlog_s: float
    occupancy: float
    draining: bool
    models: Models
    costs: Costs
    def __init__(self, seen: _Optional[int] = ..., worker_id: _Optional[str] = ..., interactive_s: _Optional[float] = ..., bulk_s: _Optional[float] = ..., max_backlog_s: _Optional[float] = ..., occupancy: _Optional[float] = ..., draining: _Optional[bool] = ..., models: _Optional[_Union[Models, _Mapping]] = ..., costs: _Optional[_Union[Costs, _Mapping]] = ...) -> None: ...

class Models(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("status", "has_manifest", "manifest")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HAS_MANIFEST_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    status: bytes
    has_manifest: bool
    manifest: bytes
    def __init__(self, status: _Optional[bytes] = ..., has_manifest: _Optional[bool] = ..., manifest: _Optional[bytes] = ...) -> None: ...

class Costs(_message.Message):
    __slots__ = ("costs",)
    COSTS_FIELD_NUMBER: _ClassVar[int]
    costs: _containers.RepeatedCompositeFieldContainer[Cost]
    def __init__(self, costs: _Optional[_Iterable[_Union[Cost, _Mapping]]] = ...) -> None: ...

class Cost(_message.Message):
    __slots__ = ("model", "version", "operation", "once_s", "step_s", "batch")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ONCE_S_FIELD_NUMBER: _ClassVar[int]
    STEP_S_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    operation: str
    once_s: float
    step_s: float
    batch: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., operation: _Optional[str] = ..., once_s: _Optional[float] = ..., step_s: _Optional[float] = ..., batch: _Optional[int] = ...) -> None: ...
