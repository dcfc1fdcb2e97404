"""An OpenAI-compatible server with a base and its adapters by name: vLLM's own, or ours."""
