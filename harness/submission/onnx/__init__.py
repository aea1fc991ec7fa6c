"""A network that comes as an ONNX file, built of the layers of Keras and HGQ2 in a sandbox.

The table from operator to builder is `harness.submission.onnx.builders`; each family of operators
has a file of its own.
"""
