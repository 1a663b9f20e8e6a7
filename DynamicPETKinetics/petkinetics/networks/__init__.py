"""Networks that estimate kinetics: building blocks, the paper's network, its forward model and loss.

Everything here needs PyTorch, which the rest of the engine does not; nothing imports it at the top.
"""
