"""Networks that estimate kinetics: features, building blocks, forward model, losses, the prior, and their weights.

Most needs PyTorch, which the rest of the engine does not: a method's file is imported when the method is asked for.
"""
