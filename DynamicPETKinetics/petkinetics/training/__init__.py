"""Training of the networks on simulated patients (or own series). Needs PyTorch; nothing imports it at the top."""
