"""CodeLutra's engine: refine a code LLM from its own executed mistakes.

Knows nothing of Gradio; only `worker.py` knows the database.
"""

__version__ = "0.1.0"
