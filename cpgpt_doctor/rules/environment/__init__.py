"""1xx to 4xx: the machine, Python, CpGPT and its packages, as the call meets them."""
