"""Independent computations of the firmware's scores, compared bit for bit."""
