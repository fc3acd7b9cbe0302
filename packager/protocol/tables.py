"""The tables of all messages: names and numbers are those of TensorFlow Serving's ``.proto`` files.

Fields that neither server nor clients here have a use for are left out; protobuf keeps them unread. A field
of ``bytes`` where TensorFlow Serving has a message holds that message serialised: on the wire they are one.
"""

from __future__ import annotations

from collections.abc import Mapping

Fields = Mapping[str, tuple[int, str]]
"""Field names with their numbers and types: ``int64``, ``repeated int64``, ``map<string, int64>``, a message.

A type after ``oneof`` is an alternative to the others that are so marked.
"""

_POLICY = "FileSystemStoragePathSourceConfig.ServableVersionPolicy"
_INT64 = "google.protobuf.Int64Value"
_INT32 = "google.protobuf.Int32Value"
_BOOL = "google.protobuf.BoolValue"

_CONFIGURATION: dict[str, Fields] = {
    "FileSystemStoragePathSourceConfig": {},
    _POLICY: {
        "latest": (100, f"oneof {_POLICY}.Latest"),
        "all": (101, f"oneof {_POLICY}.All"),
        "specific": (102, f"oneof {_POLICY}.Specific"),
    },
    f"{_POLICY}.Latest": {"num_versions": (1, "uint32")},
    f"{_POLICY}.All": {},
    f"{_POLICY}.Specific": {"versions": (1, "repeated int64")},
    "SamplingConfig": {"sampling_rate": (1, "double"), "attributes": (2, "int32")},
    "LogCollectorConfig": {"type": (1, "string"), "filename_prefix": (2, "string")},
    "LoggingConfig": {
        "log_collector_config": (1, "LogCollectorConfig"),
        "sampling_config": (2, "SamplingConfig"),
    },
    "ModelConfig": {
        "name": (1, "string"),
        "base_path": (2, "string"),
        "model_type": (3, "ModelType"),
        "model_platform": (4, "string"),
        "logging_config": (6, "LoggingConfig"),
        "logging_configs": (9, "repeated LoggingConfig"),
        "model_version_policy": (7, _POLICY),
        "version_labels": (8, "map<string, int64>"),
    },
    "ModelConfigList": {"config": (1, "repeated ModelConfig")},
    "ModelServerConfig": {
        "model_config_list": (1, "oneof ModelConfigList"),
        "custom_model_config": (2, "oneof google.protobuf.Any"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
    "BatchingParameters": {
        "max_batch_size": (1, _INT64),
        "batch_timeout_micros": (2, _INT64),
        "max_enqueued_batches": (3, _INT64),
        "num_batch_threads": (4, _INT64),
        "thread_pool_name": (5, "google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, _BOOL),
        "max_execution_batch_size": (9, _INT64),
    },
    "ModelWarmupOptions": {
        "num_request_iterations": (1, _INT32),
        "num_model_warmup_threads": (2, _INT32),
    },
    "SessionBundleConfig": {
        "session_target": (1, "string"),
        "session_config": (2, "bytes"),
        "batching_parameters": (3, "BatchingParameters"),
        "session_run_load_threadpool_index": (4, _INT32),
        "experimental_transient_ram_bytes_during_load": (5, "uint64"),
        "saved_model_tags": (6, "repeated string"),
        "enable_model_warmup": (779, "bool"),
        "model_warmup_options": (780, "ModelWarmupOptions"),
        "enable_session_metadata": (781, "bool"),
        "remove_unused_fields_from_bundle_metagraph": (782, "bool"),
        "prefer_tflite_model": (783, "bool"),
    },
    "SavedModelBundleSourceAdapterConfig": {"legacy_config": (1000, "SessionBundleConfig")},
    "PlatformConfig": {"source_adapter_config": (1, "google.protobuf.Any")},
    "PlatformConfigMap": {"platform_configs": (1, "map<string, PlatformConfig>")},
}

_OF_TENSORFLOW: dict[str, Fields] = {
    "RunOptions": {"timeout_in_ms": (2, "int64"), "inter_op_thread_pool": (3, "int32")},
    "TensorShapeProto": {"dim": (2, "repeated TensorShapeProto.Dim"), "unknown_rank": (3, "bool")},
    "TensorShapeProto.Dim": {"size": (1, "int64"), "name": (2, "string")},
    "TensorProto": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShapeProto"),
        "version_number": (3, "int32"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "scomplex_val": (9, "repeated float"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
        "dcomplex_val": (12, "repeated double"),
        "half_val": (13, "repeated int32"),
        "uint32_val": (16, "repeated uint32"),
        "uint64_val": (17, "repeated uint64"),
    },
    "BytesList": {"value": (1, "repeated bytes")},
    "FloatList": {"value": (1, "repeated float")},
    "Int64List": {"value": (1, "repeated int64")},
    "Feature": {
        "bytes_list": (1, "oneof BytesList"),
        "float_list": (2, "oneof FloatList"),
        "int64_list": (3, "oneof Int64List"),
    },
    "Features": {"feature": (1, "map<string, Feature>")},
    "Example": {"features": (1, "Features")},
    "NamedTensorProto": {"name": (1, "string"), "tensor": (2, "bytes")},
    "TensorInfo": {"name": (1, "string"), "dtype": (2, "int32"), "tensor_shape": (3, "TensorShapeProto")},
    "SignatureDef": {
        "inputs": (1, "map<string, TensorInfo>"),
        "outputs": (2, "map<string, TensorInfo>"),
        "method_name": (3, "string"),
        "defaults": (4, "map<string, bytes>"),
    },
}

_GRAPHS: dict[str, Fields] = {
    "SavedModel": {"meta_graphs": (2, "repeated MetaGraphDef")},
    "MetaGraphDef": {
        "meta_info_def": (1, "MetaInfoDef"),
        "graph_def": (2, "GraphDef"),
        "saver_def": (3, "SaverDef"),
        "collection_def": (4, "map<string, CollectionDef>"),
        "signature_def": (5, "map<string, SignatureDef>"),
        "asset_file_def": (6, "repeated AssetFileDef"),
        "object_graph_def": (7, "SavedObjectGraph"),
    },
    "AssetFileDef": {"tensor_info": (1, "TensorInfo"), "filename": (2, "string")},
    "SavedObjectGraph": {
        "nodes": (1, "repeated SavedObject"),
        "concrete_functions": (2, "map<string, SavedConcreteFunction>"),
    },
    "SavedObject": {"constant": (9, "SavedConstant")},
    "SavedConstant": {"operation": (1, "string")},
    "SavedConcreteFunction": {"bound_inputs": (2, "repeated int32")},
    "MetaInfoDef": {"tags": (4, "repeated string"), "tensorflow_version": (5, "string")},
    "SaverDef": {"filename_tensor_name": (1, "string"), "restore_op_name": (3, "string")},
    "CollectionDef": {"node_list": (1, "NodeList"), "any_list": (5, "AnyList")},
    "AnyList": {"value": (1, "repeated google.protobuf.Any")},
    "NodeList": {"value": (1, "repeated string")},
    "GraphDef": {
        "node": (1, "repeated NodeDef"),
        "library": (2, "FunctionDefLibrary"),
        "versions": (4, "VersionDef"),
    },
    "VersionDef": {"producer": (1, "int32"), "min_consumer": (2, "int32")},
    "FunctionDefLibrary": {"function": (1, "repeated FunctionDef")},
    "FunctionDef": {
        "signature": (1, "OpDef"),
        "node_def": (3, "repeated NodeDef"),
    },
    "OpList": {"op": (1, "repeated OpDef")},
    "OpDef": {
        "name": (1, "string"),
        "input_arg": (2, "repeated OpDef.ArgDef"),
        "is_stateful": (17, "bool"),
    },
    "OpDef.ArgDef": {"name": (1, "string")},
    "KernelList": {"kernel": (1, "repeated KernelDef")},
    "KernelDef": {"op": (1, "string"), "device_type": (2, "string")},
    "NodeDef": {
        "name": (1, "string"),
        "op": (2, "string"),
        "input": (3, "repeated string"),
        "device": (4, "string"),
        "attr": (5, "map<string, AttrValue>"),
    },
    "AttrValue": {
        "list": (1, "AttrValue.ListValue"),
        "s": (2, "bytes"),
        "type": (6, "int32"),
        "shape": (7, "TensorShapeProto"),
        "func": (10, "NameAttrList"),
    },
    "AttrValue.ListValue": {"func": (9, "repeated NameAttrList")},
    "NameAttrList": {"name": (1, "string")},
}

_INFERENCE: dict[str, Fields] = {
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, f"oneof {_INT64}"),
        "signature_name": (3, "string"),
        "version_label": (4, "oneof string"),
    },
    "PredictRequest": {
        "model_spec": (1, "ModelSpec"),
        "inputs": (2, "map<string, bytes>"),
        "output_filter": (3, "repeated string"),
    },
    "PredictResponse": {"outputs": (1, "map<string, bytes>"), "model_spec": (2, "ModelSpec")},
    "ExampleList": {"examples": (1, "repeated bytes")},
    "ExampleListWithContext": {"examples": (1, "repeated bytes"), "context": (2, "bytes")},
    "Input": {
        "example_list": (1, "oneof ExampleList"),
        "example_list_with_context": (2, "oneof ExampleListWithContext"),
    },
    "Class": {"label": (1, "string"), "score": (2, "float")},
    "Classifications": {"classes": (1, "repeated Class")},
    "ClassificationResult": {"classifications": (1, "repeated Classifications")},
    "ClassificationRequest": {"model_spec": (1, "ModelSpec"), "input": (2, "Input")},
    "ClassificationResponse": {"result": (1, "ClassificationResult"), "model_spec": (2, "ModelSpec")},
    "Regression": {"value": (1, "float")},
    "RegressionResult": {"regressions": (1, "repeated Regression")},
    "RegressionRequest": {"model_spec": (1, "ModelSpec"), "input": (2, "Input")},
    "RegressionResponse": {"result": (1, "RegressionResult"), "model_spec": (2, "ModelSpec")},
    "InferenceTask": {"model_spec": (1, "ModelSpec"), "method_name": (2, "string")},
    "InferenceResult": {
        "model_spec": (1, "ModelSpec"),
        "classification_result": (2, "oneof ClassificationResult"),
        "regression_result": (3, "oneof RegressionResult"),
    },
    "MultiInferenceRequest": {"tasks": (1, "repeated InferenceTask"), "input": (2, "Input")},
    "MultiInferenceResponse": {"results": (1, "repeated InferenceResult")},
}

_MANAGEMENT: dict[str, Fields] = {
    "SignatureDefMap": {"signature_def": (1, "map<string, SignatureDef>")},
    "GetModelMetadataRequest": {"model_spec": (1, "ModelSpec"), "metadata_field": (2, "repeated string")},
    "GetModelMetadataResponse": {
        "model_spec": (1, "ModelSpec"),
        "metadata": (2, "map<string, google.protobuf.Any>"),
    },
    "StatusProto": {"error_code": (1, "int32"), "error_message": (2, "string")},
    "GetModelStatusRequest": {"model_spec": (1, "ModelSpec")},
    "ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, "ModelVersionStatus.State"),
        "status": (3, "StatusProto"),
    },
    "GetModelStatusResponse": {"model_version_status": (1, "repeated ModelVersionStatus")},
    "ReloadConfigRequest": {"config": (1, "ModelServerConfig")},
    "ReloadConfigResponse": {"status": (1, "StatusProto")},
}

_WARMUP: dict[str, Fields] = {
    "LogMetadata": {
        "model_spec": (1, "ModelSpec"),
        "sampling_config": (2, "SamplingConfig"),
        "saved_model_tags": (3, "repeated string"),
    },
    "ClassifyLog": {"request": (1, "ClassificationRequest"), "response": (2, "ClassificationResponse")},
    "RegressLog": {"request": (1, "RegressionRequest"), "response": (2, "RegressionResponse")},
    "PredictLog": {"request": (1, "PredictRequest"), "response": (2, "PredictResponse")},
    "MultiInferenceLog": {
        "request": (1, "MultiInferenceRequest"),
        "response": (2, "MultiInferenceResponse"),
    },
    "SessionRunRequest": {
        "model_spec": (1, "ModelSpec"),
        "feed": (2, "repeated NamedTensorProto"),
        "fetch": (3, "repeated string"),
        "target": (4, "repeated string"),
        "tensor_name_is_alias": (6, "bool"),
    },
    "SessionRunLog": {"request": (1, "SessionRunRequest")},
    "PredictionLog": {
        "log_metadata": (1, "LogMetadata"),
        "classify_log": (2, "oneof ClassifyLog"),
        "regress_log": (3, "oneof RegressLog"),
        "multi_inference_log": (4, "oneof MultiInferenceLog"),
        "session_run_log": (5, "oneof SessionRunLog"),
        "predict_log": (6, "oneof PredictLog"),
    },
}

_HEALTH: dict[str, Fields] = {
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "HealthCheckResponse.ServingStatus")},
}

_PROFILER: dict[str, Fields] = {
    "ProfileRequest": {
        "duration_ms": (1, "uint64"),
        "repository_root": (5, "string"),
        "session_id": (6, "string"),
        "host_name": (7, "string"),
    },
    "ProfileToolData": {"name": (1, "string"), "data": (2, "bytes")},
    "ProfileResponse": {"tool_data": (6, "repeated ProfileToolData"), "empty_trace": (7, "bool")},
    "TerminateRequest": {"session_id": (1, "string")},
    "TerminateResponse": {},
    "MonitorRequest": {"duration_ms": (1, "uint64")},
    "MonitorResponse": {"data": (1, "string")},
    "XLine": {"events": (4, "repeated bytes")},
    "XPlane": {"lines": (3, "repeated XLine")},
    "XSpace": {"planes": (1, "repeated XPlane"), "hostnames": (4, "repeated string")},
}

_REFLECTION: dict[str, Fields] = {
    "ExtensionRequest": {"containing_type": (1, "string"), "extension_number": (2, "int32")},
    "ServerReflectionRequest": {
        "host": (1, "string"),
        "file_by_filename": (3, "oneof string"),
        "file_containing_symbol": (4, "oneof string"),
        "file_containing_extension": (5, "oneof ExtensionRequest"),
        "all_extension_numbers_of_type": (6, "oneof string"),
        "list_services": (7, "oneof string"),
    },
    "FileDescriptorResponse": {"file_descriptor_proto": (1, "repeated bytes")},
    "ServiceResponse": {"name": (1, "string")},
    "ListServiceResponse": {"service": (1, "repeated ServiceResponse")},
    "ErrorResponse": {"error_code": (1, "int32"), "error_message": (2, "string")},
    "ServerReflectionResponse": {
        "valid_host": (1, "string"),
        "original_request": (2, "ServerReflectionRequest"),
        "file_descriptor_response": (4, "oneof FileDescriptorResponse"),
        "list_services_response": (6, "oneof ListServiceResponse"),
        "error_response": (7, "oneof ErrorResponse"),
    },
}

MESSAGES: Mapping[str, Fields] = {
    **_CONFIGURATION,
    **_OF_TENSORFLOW,
    **_GRAPHS,
    **_INFERENCE,
    **_MANAGEMENT,
    **_WARMUP,
    **_HEALTH,
    **_PROFILER,
    **_REFLECTION,
}
"""The fields of each message. One that lies inside another comes after it."""

ENUMS: Mapping[str, Mapping[str, int]] = {
    "ModelType": {"MODEL_TYPE_UNSPECIFIED": 0, "TENSORFLOW": 1, "OTHER": 2},
    "ModelVersionStatus.State": {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    },
    "HealthCheckResponse.ServingStatus": {"UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 2, "SERVICE_UNKNOWN": 3},
}
"""The values of each enumeration, with their numbers."""
