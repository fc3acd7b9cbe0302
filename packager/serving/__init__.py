"""A server that answers as TensorFlow Serving does, without TensorFlow Serving.

``python -m packager.serving`` takes the flags of ``tensorflow_model_server`` and behaves as it does:
the same REST API, errors, log lines, exit codes and life cycle, on any machine for which there is a
tensorflow wheel. It runs SavedModels through the TensorFlow C API, in the same session that TensorFlow
Serving uses, and never imports the tensorflow package: of the wheel it needs two shared libraries and the
generated protobuf modules.

Data flows one way::

    socket → http → api → routes, predict_request → catalog → servable → session → answers → socket
                                                       ↑
             base paths → folders → policies → keeper (loads, unloads)

- ``native``  TensorFlow through its C API: tensors, signatures, sessions, servables
- ``models``  configuration, version folders and policies, and the state of every version
- ``batching``  runs that wait for each other, to run as one
- ``rest``    JSON as RapidJSON reads and writes it, the REST API, HTTP
- ``server``  the parts put together from the flags; start, signals, end

The package imports nothing of packager but itself and ``packager.protocol``, so that copies of these two
folders are all that an image needs.
"""
