"""From an exported network to its integer program, its Verilog and an hls4ml project."""
