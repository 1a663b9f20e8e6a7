"""One file a method, all behind one Estimator."""
