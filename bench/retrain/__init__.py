"""Real trainings. torch lives in this package and nowhere else (extra `retrain`)."""
