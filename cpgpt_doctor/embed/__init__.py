"""run-embed: CpGPT computes, and we keep the books."""
