"""Studies: methods judged on simulated patients whose truth is known."""
