"""Backends ``vitis`` and ``vivado``: the vendor's own tools on hls4ml's project."""
