"""Probes observe; they judge nothing."""
