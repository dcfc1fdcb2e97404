.PHONY: check test slow
check:
	ruff format --check . && ruff check . && mypy && python -m pytest

test:
	python -m pytest

slow:
	python -m pytest -m "slow or browser or postgres"
