"""From a Keras ``.h5`` file to a TensorFlow Serving image that is proven to answer right."""
