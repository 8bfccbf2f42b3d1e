from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerateRequest(_message.Message):
    __slots__ = ("model", "version", "operation", "n", "seed", "index", "params", "inputs", "output", "deadline_ms", "priority", "determinism", "progress_every", "preview_every")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Tensor
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Tensor, _Mapping]] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DETERMINISM_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_EVERY_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_EVERY_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    operation: str
    n: int
    seed: int
    index: int
    params: _containers.MessageMap[str, Value]
    inputs: _containers.MessageMap[str, Tensor]
    output: OutputChoice
    deadline_ms: float
    priority: str
    determinism: str
    progress_every: int
    preview_every: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ..., operation: _Optional[str] = ..., n: _Optional[int] = ..., seed: _Optional[int] = ..., index: _Optional[int] = ..., params: _Optional[_Mapping[str, Value]] = ..., inputs: _Optional[_Mapping[str, Tensor]] = ..., output: _Optional[_Union[OutputChoice, _Mapping]] = ..., deadline_ms: _Optional[float] = ..., priority: _Optional[str] = ..., determinism: _Optional[str] = ..., progress_every: _Optional[int] = ..., preview_every: _Optional[int] = ...) -> None: ...

class OutputChoice(_message.Message):
    __slots__ = ("format", "quality")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    format: str
    quality: int
    def __init__(self, format: _Optional[str] = ..., quality: _Optional[int] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("bool_value", "int_value", "double_value", "string_value")
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    INT_VALUE_FIELD_NUMBER: _ClassVar[int]
    DOUBLE_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    bool_value: bool
    int_value: int
    double_value: float
    string_value: str
    def __init__(self, bool_value: _Optional[bool] = ..., int_value: _Optional[int] = ..., double_value: _Optional[float] = ..., string_value: _Optional[str] = ...) -> None: ...

class Tensor(_message.Message):
    __slots__ = ("content", "format", "dtype", "shape", "range", "sample_rate_hz", "fps")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    format: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    range: _containers.RepeatedScalarFieldContainer[float]
    sample_rate_hz: int
    fps: float
    def __init__(self, content: _Optional[bytes] = ..., format: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., range: _Optional[_Iterable[float]] = ..., sample_rate_hz: _Optional[int] = ..., fps: _Optional[float] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("index", "seed", "outputs")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Output
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Output, _Mapping]] = ...) -> None: ...
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    index: int
    seed: int
    outputs: _containers.MessageMap[str, Output]
    def __init__(self, index: _Optional[int] = ..., seed: _Optional[int] = ..., outputs: _Optional[_Mapping[str, Output]] = ...) -> None: ...

class Output(_message.Message):
    __slots__ = ("tensor", "scalar")
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    SCALAR_FIELD_NUMBER: _ClassVar[int]
    tensor: Tensor
    scalar: Value
    def __init__(self, tensor: _Optional[_Union[Tensor, _Mapping]] = ..., scalar: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("queue_ms", "run_ms", "encode_ms")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    RUN_MS_FIELD_NUMBER: _ClassVar[int]
    ENCODE_MS_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    run_ms: float
    encode_ms: float
    def __init__(self, queue_ms: _Optional[float] = ..., run_ms: _Optional[float] = ..., encode_ms: _Optional[float] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("rows", "steps")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    steps: int
    def __init__(self, rows: _Optional[int] = ..., steps: _Optional[int] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("id", "model", "version", "operation", "seed", "determinism", "samples", "timing", "usage")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    DETERMINISM_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    version: int
    operation: str
    seed: int
    determinism: str
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    timing: Timing
    usage: Usage
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., operation: _Optional[str] = ..., seed: _Optional[int] = ..., determinism: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class GenerateEvent(_message.Message):
    __slots__ = ("accepted", "sample", "done", "progress", "preview")
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    accepted: Accepted
    sample: Sample
    done: Done
    progress: Progress
    preview: Preview
    def __init__(self, accepted: _Optional[_Union[Accepted, _Mapping]] = ..., sample: _Optional[_Union[Sample, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., preview: _Optional[_Union[Preview, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("id", "model", "version", "operation", "seed", "determinism", "n")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    DETERMINISM_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    id: str
    model: str
    version: int
    operation: str
    seed: int
    determinism: str
    n: int
    def __init__(self, id: _Optional[str] = ..., model: _Optional[str] = ..., version: _Optional[int] = ..., operation: _Optional[str] = ..., seed: _Optional[int] = ..., determinism: _Optional[str] = ..., n: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("index", "seed", "step", "of", "outputs")
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Output
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Output, _Mapping]] = ...) -> None: ...
    INDEX_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    index: int
    seed: int
    step: int
    of: int
    outputs: _containers.MessageMap[str, Output]
    def __init__(self, index: _Optional[int] = ..., seed: _Optional[int] = ..., step: _Optional[int] = ..., of: _Optional[int] = ..., outputs: _Optional[_Mapping[str, Output]] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("timing", "usage")
    TIMING_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    timing: Timing
    usage: Usage
    def __init__(self, timing: _Optional[_Union[Timing, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("cancelled",)
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    cancelled: bool
    def __init__(self, cancelled: _Optional[bool] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ChangeModelRequest(_message.Message):
    __slots__ = ("model", "version")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("model", "version")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    model: str
    version: int
    def __init__(self, model: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "version", "state", "reason", "family", "modality", "description", "license", "operations", "numerics_id", "certificate", "device", "state_bytes", "provider", "precision", "fallback", "sample")
    class OperationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Operation
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Operation, _Mapping]] = ...) -> None: ...
    class CertificateEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Buckets
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Buckets, _Mapping]] = ...) -> None: ...
    class FallbackEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Nodes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Nodes, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    NUMERICS_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    state: str
    reason: str
    family: str
    modality: str
    description: str
    license: str
    operations: _containers.MessageMap[str, Operation]
    numerics_id: str
    certificate: _containers.MessageMap[str, Buckets]
    device: str
    state_bytes: int
    provider: str
    precision: str
    fallback: _containers.MessageMap[str, Nodes]
    sample: SampleSpec
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., family: _Optional[str] = ..., modality: _Optional[str] = ..., description: _Optional[str] = ..., license: _Optional[str] = ..., operations: _Optional[_Mapping[str, Operation]] = ..., numerics_id: _Optional[str] = ..., certificate: _Optional[_Mapping[str, Buckets]] = ..., device: _Optional[str] = ..., state_bytes: _Optional[int] = ..., provider: _Optional[str] = ..., precision: _Optional[str] = ..., fallback: _Optional[_Mapping[str, Nodes]] = ..., sample: _Optional[_Union[SampleSpec, _Mapping]] = ...) -> None: ...

class SampleSpec(_message.Message):
    __slots__ = ("layout", "range", "sample_rate_hz", "fps")
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    layout: str
    range: _containers.RepeatedScalarFieldContainer[float]
    sample_rate_hz: int
    fps: float
    def __init__(self, layout: _Optional[str] = ..., range: _Optional[_Iterable[float]] = ..., sample_rate_hz: _Optional[int] = ..., fps: _Optional[float] = ...) -> None: ...

class Buckets(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, rows: _Optional[_Iterable[int]] = ...) -> None: ...

class Nodes(_message.Message):
    __slots__ = ("by_operator",)
    class ByOperatorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    BY_OPERATOR_FIELD_NUMBER: _ClassVar[int]
    by_operator: _containers.ScalarMap[str, int]
    def __init__(self, by_operator: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("description", "determinism", "params", "inputs", "outputs", "previews")
    class ParamsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ParamSpec
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ParamSpec, _Mapping]] = ...) -> None: ...
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: InputSpec
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[InputSpec, _Mapping]] = ...) -> None: ...
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: OutputSpec
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[OutputSpec, _Mapping]] = ...) -> None: ...
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DETERMINISM_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    description: str
    determinism: str
    params: _containers.MessageMap[str, ParamSpec]
    inputs: _containers.MessageMap[str, InputSpec]
    outputs: _containers.MessageMap[str, OutputSpec]
    previews: bool
    def __init__(self, description: _Optional[str] = ..., determinism: _Optional[str] = ..., params: _Optional[_Mapping[str, ParamSpec]] = ..., inputs: _Optional[_Mapping[str, InputSpec]] = ..., outputs: _Optional[_Mapping[str, OutputSpec]] = ..., previews: _Optional[bool] = ...) -> None: ...

class ParamSpec(_message.Message):
    __slots__ = ("type", "default", "minimum", "maximum", "choices", "unit", "description", "alternatives")
    class AlternativesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    type: str
    default: Value
    minimum: float
    maximum: float
    choices: _containers.RepeatedCompositeFieldContainer[Value]
    unit: str
    description: str
    alternatives: _containers.ScalarMap[str, str]
    def __init__(self, type: _Optional[str] = ..., default: _Optional[_Union[Value, _Mapping]] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., choices: _Optional[_Iterable[_Union[Value, _Mapping]]] = ..., unit: _Optional[str] = ..., description: _Optional[str] = ..., alternatives: _Optional[_Mapping[str, str]] = ...) -> None: ...

class InputSpec(_message.Message):
    __slots__ = ("kind", "dtype", "shape", "minimum", "maximum", "description", "formats", "default")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    minimum: float
    maximum: float
    description: str
    formats: _containers.RepeatedScalarFieldContainer[str]
    default: str
    def __init__(self, kind: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., description: _Optional[str] = ..., formats: _Optional[_Iterable[str]] = ..., default: _Optional[str] = ...) -> None: ...

class OutputSpec(_message.Message):
    __slots__ = ("kind", "dtype", "shape", "description", "formats")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    description: str
    formats: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, kind: _Optional[str] = ..., dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., description: _Optional[str] = ..., formats: _Optional[_Iterable[str]] = ...) -> None: ...
