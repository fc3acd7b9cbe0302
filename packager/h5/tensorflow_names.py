"""The names of TensorFlow functions and operations that only turn tensors into tensors.

A model may name them: what they are given is data, and what they do stays inside the graph. Whatever reads
or writes files, calls Python, changes global state or starts something is left out, and so refused.
"""

# ruff: noqa: SIM905 - a long list of names reads best as words
from __future__ import annotations

_NAMESPACES = frozenset(
    """
    __operators__ bitwise dtypes image keras.activations keras.losses keras.metrics linalg
    linalg.experimental manip math math.special nn nn.experimental quantization ragged random sets signal
    sparse spectral strings
    """.split()
)
"""Parts of the TensorFlow API in which every function is one, but for the next."""

_EXCEPTIONS = frozenset(
    """
    deserialize fixed_unigram_candidate_sampler get get_global_generator get_seed serialize
    set_global_generator set_random_seed set_seed
    """.split()
)
"""Global state; and a sampler that reads its vocabulary from a file."""

_FUNCTIONS = frozenset(
    """
    abs accumulate_n acos acosh add add_n angle arg_max arg_min argmax argmin argsort as_string asin
    asinh atan atan2 atanh batch_gather batch_to_space batch_to_space_nd betainc bincount bitcast
    boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to cast ceil cholesky
    cholesky_solve clip_by_average_norm clip_by_global_norm clip_by_norm clip_by_value complex concat
    confusion_matrix conj constant conv convert_to_tensor cos cosh count_nonzero cross cumprod cumsum
    debugging.Assert debugging.assert_all_finite debugging.assert_equal debugging.assert_greater
    debugging.assert_greater_equal debugging.assert_less debugging.assert_less_equal
    debugging.assert_near debugging.assert_negative debugging.assert_non_negative
    debugging.assert_non_positive debugging.assert_none_equal debugging.assert_positive
    debugging.assert_rank debugging.assert_rank_at_least debugging.assert_shapes debugging.assert_type
    debugging.check_numerics depth_to_space dequantize diag diag_part digamma div div_no_nan divide
    dynamic_partition dynamic_stitch edit_distance eig eigvals einsum ensure_shape equal erf erfc exp
    expand_dims expm1 extract_image_patches extract_volume_patches eye fake_quant_with_min_max_args
    fake_quant_with_min_max_args_gradient fake_quant_with_min_max_vars
    fake_quant_with_min_max_vars_gradient fake_quant_with_min_max_vars_per_channel
    fake_quant_with_min_max_vars_per_channel_gradient fft fft2d fft3d fftnd fill fingerprint floor
    floor_div floordiv floormod gather gather_nd global_norm greater greater_equal histogram_fixed_width
    histogram_fixed_width_bins identity identity_n ifft ifft2d ifft3d ifftnd igamma igammac imag
    invert_permutation io.decode_and_crop_jpeg io.decode_base64 io.decode_bmp io.decode_gif
    io.decode_image io.decode_jpeg io.decode_png io.decode_raw io.decode_webp io.encode_base64
    io.encode_jpeg io.encode_png io.extract_jpeg_shape io.parse_tensor irfftnd is_finite is_inf is_nan
    is_non_decreasing is_numeric_tensor is_strictly_increasing is_tensor lbeta less less_equal lgamma
    lin_space linspace log log1p log_sigmoid logical_and logical_not logical_or logical_xor matmul
    matrix_band_part matrix_determinant matrix_diag matrix_diag_part matrix_inverse matrix_set_diag
    matrix_solve matrix_solve_ls matrix_square_root matrix_transpose matrix_triangular_solve maximum
    meshgrid minimum mod multinomial multiply negative norm not_equal one_hot ones ones_like pad
    parallel_stack polygamma pow qr quantize quantize_v2 quantized_concat random_crop random_gamma
    random_normal random_poisson random_shuffle random_uniform range rank real realdiv reciprocal
    reduce_all reduce_any reduce_join reduce_logsumexp reduce_max reduce_mean reduce_min reduce_prod
    reduce_sum regex_replace repeat reshape reverse reverse_sequence reverse_v2 rfftnd rint roll round
    rsqrt saturate_cast scalar_mul scatter_nd searchsorted segment_max segment_mean segment_min
    segment_prod segment_sum self_adjoint_eig self_adjoint_eigvals sequence_mask setdiff1d shape shape_n
    sigmoid sign sin sinh size slice sort space_to_batch space_to_batch_nd space_to_depth sparse_add
    sparse_concat sparse_fill_empty_rows sparse_mask sparse_matmul sparse_maximum sparse_merge
    sparse_minimum sparse_reduce_max sparse_reduce_max_sparse sparse_reduce_sum sparse_reduce_sum_sparse
    sparse_reorder sparse_reset_shape sparse_reshape sparse_retain sparse_segment_mean
    sparse_segment_sqrt_n sparse_segment_sum sparse_slice sparse_softmax sparse_split
    sparse_tensor_dense_matmul sparse_tensor_to_dense sparse_to_dense sparse_to_indicator
    sparse_transpose split sqrt square squared_difference squeeze stack stop_gradient strided_slice
    string_join string_split string_strip string_to_hash_bucket string_to_hash_bucket_fast
    string_to_hash_bucket_strong string_to_number substr subtract svd tan tanh tensor_scatter_add
    tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min tensor_scatter_nd_sub
    tensor_scatter_nd_update tensor_scatter_sub tensor_scatter_update tensordot tile to_bfloat16
    to_complex128 to_complex64 to_double to_float to_int32 to_int64 trace transpose truediv
    truncated_normal truncatediv truncatemod unique unique_with_counts unravel_index
    unsorted_segment_max unsorted_segment_mean unsorted_segment_min unsorted_segment_prod
    unsorted_segment_sqrt_n unsorted_segment_sum unstack where where_v2 zeros zeros_like zeta
    """.split()
)
"""Functions outside those parts."""

_KERAS_BACKEND = frozenset(
    """
    abs all any arange argmax argmin batch_dot batch_flatten bias_add binary_crossentropy
    binary_focal_crossentropy cast cast_to_floatx categorical_crossentropy
    categorical_focal_crossentropy clip concatenate constant conv1d conv2d conv2d_transpose conv3d cos
    ctc_decode ctc_label_dense_to_sparse cumprod cumsum depthwise_conv2d dot dropout elu equal exp
    expand_dims eye flatten gather greater greater_equal hard_sigmoid in_top_k l2_normalize less
    less_equal log max maximum mean min minimum not_equal one_hot ones ones_like permute_dimensions
    pool2d pool3d pow prod random_bernoulli random_binomial random_normal random_uniform relu repeat
    repeat_elements reshape reverse round separable_conv2d sigmoid sign sin softmax softplus softsign
    sparse_categorical_crossentropy spatial_2d_padding spatial_3d_padding sqrt square squeeze stack std
    sum switch tanh temporal_padding tile truncated_normal var zeros zeros_like
    """.split()
)
"""Functions of ``keras.backend``; others there hold sessions, print, or set what is global."""

_OPERATIONS = frozenset(
    """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AdjustContrast AdjustContrastv2 AdjustHue
    AdjustSaturation All Angle Any ApproximateEqual ArgMax ArgMin AsString Asin Asinh Atan Atan2 Atanh
    AvgPool AvgPool3D BandedTriangularSolve BatchCholesky BatchFFT BatchFFT2D BatchFFT3D BatchIFFT
    BatchIFFT2D BatchIFFT3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchMatrixBandPart
    BatchMatrixDeterminant BatchMatrixDiag BatchMatrixDiagPart BatchMatrixInverse BatchMatrixSetDiag
    BatchMatrixSolve BatchMatrixSolveLs BatchMatrixTriangularSolve BatchNormWithGlobalNormalization
    BatchSelfAdjointEig BatchSelfAdjointEigV2 BatchSvd BatchToSpace BatchToSpaceND BesselI0 BesselI0e
    BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0 BesselY1 Betainc
    BiasAdd BiasAddV1 Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastTo
    Bucketize CTCLoss CTCLossV2 Cast Ceil Cholesky ClipByValue CombinedNonMaxSuppression Complex
    ComplexAbs Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv Conv2D Conv3D Cos Cosh
    CropAndResize Cross Cumprod Cumsum CumulativeLogsumexp DataFormatVecPermute Dawsn DecodeBase64
    DecodeImage DecodeJpeg DecodePng DecodeRaw DenseBincount DenseToDenseSetOperation DepthToSpace
    DepthwiseConv2dNative Dequantize Diag DiagPart Digamma Dilation2D Div DivNoNan DrawBoundingBoxes
    DrawBoundingBoxesV2 DynamicPartition DynamicStitch Eig Einsum Elu EncodeBase64 EnsureShape Equal Erf
    Erfc Erfinv EuclideanNorm Exp ExpandDims Expint Expm1 ExtractGlimpse ExtractGlimpseV2
    ExtractImagePatches ExtractJpegShape ExtractVolumePatches FFT FFT2D FFT3D FFTND
    FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor
    FloorDiv FloorMod FractionalAvgPool FractionalMaxPool FresnelCos FresnelSin FusedBatchNorm
    FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D Gather GatherNd GatherV2
    GenerateBoundingBoxProposals Greater GreaterEqual HSVToRGB IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D
    IRFFT3D IRFFTND Identity IdentityN Igamma Igammac Imag ImageProjectiveTransformV2
    ImageProjectiveTransformV3 InTopK InTopKV2 Inv Invert InvertPermutation IsFinite IsInf IsNan L2Loss
    LRN LeakyRelu LeftShift Less LessEqual Lgamma LinSpace ListDiff Log Log1p LogMatrixDeterminant
    LogSoftmax LogicalAnd LogicalNot LogicalOr LowerBound Lu MatMul MatrixBandPart MatrixDeterminant
    MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
    MatrixExponential MatrixInverse MatrixLogarithm MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3
    MatrixSolve MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Max MaxPool MaxPool3D MaxPoolV2
    MaxPoolWithArgmax Maximum Mean Mfcc Min Minimum MirrorPad Mod Mul MulNoNan Multinomial Ndtri Neg
    NextAfter NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4
    NonMaxSuppressionV5 NonMaxSuppressionWithOverlaps NotEqual NthElement OneHot OnesLike Pack Pad PadV2
    Polygamma PopulationCount Pow Prod Qr QuantizeAndDequantizeV2 RFFT RFFT2D RFFT3D RFFTND RGBToHSV
    RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt Range Rank Real RealDiv Reciprocal
    ReduceJoin RegexFullMatch RegexReplace Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear
    ResizeNearestNeighbor Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt
    ScaleAndTranslate ScatterNd ScatterNdNonAliasingAdd SegmentMax SegmentMaxV2 SegmentMean SegmentMin
    SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum SegmentSumV2 Select SelectV2 SelfAdjointEig
    SelfAdjointEigV2 Selu SetSize Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Softmax
    SoftmaxCrossEntropyWithLogits Softplus Softsign SpaceToBatch SpaceToBatchND SpaceToDepth
    SparseReshape SparseSoftmaxCrossEntropyWithLogits SparseTensorDenseMatMul SparseToDense Spence Split
    SplitV Sqrt Square SquaredDifference Squeeze StridedSlice StringJoin StringLength StringLower
    StringNGrams StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
    StringToHashBucketStrong StringToNumber StringUpper Sub Substr Sum Svd Tan Tanh Tile TopK TopKV2
    Transpose TridiagonalMatMul TridiagonalSolve TruncateDiv TruncateMod TruncatedNormal UnicodeScript
    UnicodeTranscode Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex
    UnsortedSegmentJoin UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
    UpperBound Where Xdivy Xlog1py Xlogy ZerosLike Zeta
    """.split()
)

_METHODS = frozenset(
    """
    bounding_shape dense_shape flat_values indices merge_dims nested_row_lengths nested_row_splits
    nested_value_rowids nrows row_lengths row_limits row_splits row_starts to_sparse to_tensor
    value_rowids values with_flat_values with_row_splits_dtype with_values
    """.split()
)
"""Methods and properties of ragged and sparse tensors, which tf_keras also writes as layers."""


def is_tensor_function(symbol: str) -> bool:
    """Tell whether a symbol of the TensorFlow API (``math.add``, ``compat.v1.transpose``) is one of them."""
    symbol = symbol.removeprefix("compat.v1.")
    namespace, _, name = symbol.rpartition(".")
    if namespace == "keras.backend":
        return name in _KERAS_BACKEND
    return symbol in _FUNCTIONS or (namespace in _NAMESPACES and name not in _EXCEPTIONS)


def is_tensor_operation(operation: str) -> bool:
    """Tell whether an operation of a TensorFlow graph (``AddV2``) is one of them."""
    return operation in _OPERATIONS


def is_tensor_method(name: str) -> bool:
    """Tell whether ``name`` is a method or property of a tensor that tf_keras writes as a layer."""
    return name in _METHODS
