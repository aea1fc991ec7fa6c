"""What one event costs a network: floating-point operations, parameters, MACs, BOPs, bits."""
