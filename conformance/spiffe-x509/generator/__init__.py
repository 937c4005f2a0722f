"""Certificates, good and bad, made byte for byte from fixed seeds, and the cases about them."""
