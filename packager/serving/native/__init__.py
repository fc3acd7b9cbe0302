"""TensorFlow through its C API: tensors, and SavedModels that run them."""
