"""Verdicts on answers: mathematics, text, reasoning and GRAPH_TABLE SQL, usable without the rest of the project."""
