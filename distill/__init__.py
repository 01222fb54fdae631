"""Distil reasoning into small models: from questions and documents to verified data, and to a better student."""
