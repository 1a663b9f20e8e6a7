"""Digital patients with known truth: anatomy, physiology, scanner."""
