# What CI runs, in the environment at hand (pip install -e ".[bench,dev,docs,interop]").

checks = lint types tests docs package start bench slow

.PHONY: check format $(checks)

check:
	.ci/check $(checks)

$(checks):
	.ci/check $@

format:
	ruff format .
	ruff check --fix .
