"""The database and the job queue; knows nothing of models, pages or the engine."""
