"""CPG6xx: what stands in the user's scripts, notebooks and configs."""
