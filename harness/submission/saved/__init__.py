"""Models that Keras 2, Keras 3 or QKeras saved, read as data and built from known layers."""
