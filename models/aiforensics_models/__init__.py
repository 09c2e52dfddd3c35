"""The cellar: networks, heads, calibration, generators and the shipped bundles. Arrays in, numbers out."""
