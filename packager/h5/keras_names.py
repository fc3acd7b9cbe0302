"""The names of what Keras itself brings: classes and functions that a config may name without supplying them.

Taken from keras 3.15 and tf_keras 2.20, with those that Keras 1 and earlier versions of Keras 2 had.
"""

# ruff: noqa: SIM905 - a long list of names reads best as words
from __future__ import annotations

LAYERS = frozenset(
    """
    AbstractRNNCell Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
    AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AddLoss
    AddMetric AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
    AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization
    BatchNormalizationBase BatchNormalizationV1 BatchNormalizationV2 Bidirectional CategoryEncoding
    CenterCrop ClassMethod Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D
    Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM ConvLSTM1D ConvLSTM2D
    ConvLSTM3D ConvLSTMCell Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose
    Convolution3D Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM CutMix
    Dense DenseFeatures DepthwiseConv1D DepthwiseConv2D DeviceWrapper Discretization Distiller Dot
    Dropout DropoutWrapper ELU EinsumDense Embedding Equalization FeatureSpace Flatten FlaxLayer
    Functional GRU GRUCell GRUCellV1 GRUCellV2 GRUV1 GRUV2 GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
    GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention GroupedQueryAttention
    HashedCrossing Hashing Identity IndexLookup InputLayer InstanceMethod InstanceProperty IntegerLookup
    JaxLayer LSTM LSTMCell LSTMCellV1 LSTMCellV2 LSTMV1 LSTMV2 Lambda Layer LayerNormalization
    LayerScale LeakyReLU LinearModel LocallyConnected1D LocallyConnected2D Masking MaxNumBoundingBoxes
    MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Merge
    Minimum MixUp Model MultiHeadAttention Multiply Normalization PReLU Permute Pipeline
    RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter
    RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHeight RandomHue RandomInvert RandomPerspective RandomPosterization
    RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation RandomWidth RandomZoom
    ReLU RepeatVector Rescaling Reshape ResidualWrapper Resizing ReversibleEmbedding STFTSpectrogram
    SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D SequenceFeatures
    Sequential SimpleRNN SimpleRNNCell SlicingOpLambda Softmax Solarization SpatialDropout1D
    SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells StochasticDepth StringLookup
    Subtract SyncBatchNormalization TFOpLambda TFSMLayer TensorFlowOpLayer TextVectorization
    ThresholdedReLU TimeDistributed TorchModuleWrapper UnitNormalization UpSampling1D UpSampling2D
    UpSampling3D WideDeepModel Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()
)
"""Layers and models of Keras 3 and tf_keras."""

LEGACY_LAYERS = frozenset(
    """
    AtrousConv1D AtrousConv2D AtrousConvolution1D AtrousConvolution2D AutoEncoder CategoricalEncoding
    CategoryCrossing Container ConvLSTM2DCell ConvRecurrent2D Deconvolution2D Deconvolution3D Graph
    Highway LayerNormLSTMCell MaskedLambda MaxoutDense Network ParametricSoftplus PeepholeLSTMCell
    PolicyV1 RandomFourierFeatures Recurrent SReLU SimpleDeepRNN StandardScaler ThresholdedLinear
    TimeDistributedDense TimeDistributedMerge UnifiedGRU UnifiedLSTM
    """.split()
)
"""Layers of Keras 1 and of early Keras 2 that today's libraries have no more."""

MARKERS = frozenset(
    """
    __bytes__ __ellipsis__ __keras_tensor__ __lambda__ __numpy__ __slice__ __tensor__ __tuple__
    CompositeTensor TensorShape TypeSpec
    """.split()
)
"""What Keras writes as a class name for a plain value; not ``__typespec__``, which names a class."""

OPERATIONS = frozenset(
    """
    Abs Absolute AdaptiveAveragePool AdaptiveMaxPool Add AffineTransform All AllClose Amax Amin Angle
    Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Argmax Argmin Argpartition
    Argsort Array ArraySplit AssociativeScan Average AveragePool BatchNorm BinaryCrossentropy Bincount
    BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor
    BroadcastTo CDist CTCDecode CTCLoss Cast CategoricalCrossentropy Cbrt Ceil Celu Cholesky
    CholeskyInverse Clip Concatenate Cond Conj Conjugate Conv ConvTranspose ConvertToTensor Copy
    Corrcoef Correlate Cos Cosh CountNonzero CropImages Cross Cumprod Cumsum Deg2rad DepthToSpace
    DepthwiseConv Det Diag Diagflat Diagonal Diff Digitize Divide DivideNoNan Dot DotProductAttention
    Dsplit Dstack Eig Eigh Einsum ElasticTransform Elu EmptyLike Equal Erf Erfc Erfinv Exp Exp2
    ExpandDims Expm1 ExtractPatches ExtractSequences FFT FFT2 Fabs Flip Fliplr Flipud Floor FloorDivide
    Fmax Fmin Fmod Fold ForiLoop Full FullLike Function GaussianBlur Gcd Gelu Geomspace GetItem Glu
    Greater GreaterEqual HSVToRGB HardShrink HardSigmoid HardSilu HardTanh Heaviside Histogram Hsplit
    Hstack Hypot I0 IFFT2 IRFFT ISTFT Imag InTopK Inner Inv IsIn Isclose Isfinite Isinf Isnan Isneginf
    Isposinf Isreal JVP Kron LayerNorm Lcm Ldexp LeakyRelu LeftShift Less LessEqual Linspace Log Log10
    Log1p Log2 LogSigmoid LogSoftmax Logaddexp Logaddexp2 Logdet LogicalAnd LogicalNot LogicalOr
    LogicalXor Logspace Logsumexp Lstsq LuFactor Map MapCoordinates Matmul MatrixRank Max MaxPool
    Maximum Mean Median Meshgrid Min Minimum Mod Moments Moveaxis MultiHot Multiply NanToNum Nanargmax
    Nanargmin Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile Nanprod Nanquantile
    Nanstd Nansum Nanvar Ndim Negative Nextafter Nonzero Norm Normalize NotEqual OneHot OnesLike Outer
    PSNR Pad PadImages Percentile PerspectiveTransform Pinv Polar Power Prod Ptp Qr Quantile RFFT
    RGBToGrayscale RGBToHSV RMSNorm Rad2deg Ravel Real Rearrange Reciprocal Relu Relu6 Repeat Reshape
    Resize RightShift Roll Rot90 Round Rsqrt SSIM STFT SVD SaturateCast ScaleAndTranslate Scan Scatter
    ScatterUpdate SearchSorted SegmentMax SegmentMin SegmentProd SegmentReduction SegmentSum Select Selu
    SeparableConv Sigmoid Sign Signbit Silu Sin Sinc Sinh Size Slice SliceUpdate Slogdet SobelEdges
    SoftShrink Softmax Softplus Softsign Solve SolveTriangular Sort SpaceToDepth
    SparseCategoricalCrossentropy SparsePlus SparseSigmoid Sparsemax Split Sqrt Square Squareplus
    Squeeze Stack Std StopGradient Subtract Sum Swapaxes Switch Take TakeAlongAxis Tan Tanh TanhShrink
    Tensordot Threshold Tile TopK Trace Transpose Trapezoid Tril Triu TrueDivide Trunc Unfold Unique
    UnravelIndex Unstack Vander Var Vdot VectorizedMap View ViewAsComplex ViewAsReal Vsplit Vstack Where
    WhileLoop ZerosLike
    """.split()
)
"""Operations that Keras 3 writes as layers."""

PARTS = frozenset(
    """
    AWQConfig AWQDTypePolicy AbsMaxQuantizer Constant Constraint DTypePolicy DTypePolicyMap
    Float8QuantizationConfig FloatDTypePolicy GPTQConfig GPTQDTypePolicy GlorotNormal GlorotUniform
    HeNormal HeUniform Identity IdentityInitializer Initializer Int4DTypePolicy Int4QuantizationConfig
    Int8QuantizationConfig L1 L1L2 L2 LecunNormal LecunUniform MaxNorm MinMaxNorm NonNeg Ones Orthogonal
    OrthogonalInitializer OrthogonalRegularizer Policy QuantizationConfig QuantizedDTypePolicy
    QuantizedFloat8DTypePolicy Quantizer RadialConstraint RandomNormal RandomUniform Regularizer STFT
    STFTInitializer SeedGenerator TruncatedNormal UnitNorm VarianceScaling Zeros
    """.split()
)
"""Initializers, constraints, regularizers, dtype policies, quantizers."""

FUNCTIONS = frozenset(
    """
    celu constant elu exponential gelu glorot_normal glorot_uniform glu hard_shrink hard_sigmoid
    hard_silu hard_swish hard_tanh he_normal he_uniform identity l1 l1_l2 l2 leaky_relu lecun_normal
    lecun_uniform linear log_sigmoid log_softmax max_norm min_max_norm mish non_neg ones orthogonal
    orthogonal_regularizer radial_constraint random_normal random_uniform relu relu6 selu sigmoid silu
    soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus stft swish
    tanh tanh_shrink threshold truncated_normal unit_norm variance_scaling zeros
    """.split()
)
"""Activations and the like, by the names that configs use."""


def is_keras_class(name: str, *, operations: bool) -> bool:
    """Tell whether Keras has a class of that name, ``operations`` of Keras 3 counted or not."""
    return name in LAYERS or name in LEGACY_LAYERS or name in PARTS or (operations and name in OPERATIONS)
