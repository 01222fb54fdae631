"""Tests of verify, a package so that equal file names elsewhere do not clash."""
