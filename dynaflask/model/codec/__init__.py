"""Conversions between items and objects, compiled once per model; see :class:`.compiled.CompiledCodec`."""
