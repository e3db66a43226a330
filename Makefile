# SPDX-License-Identifier: Apache-2.0
# A thin front end. Each target installs the packages it needs, then runs a preset of CMakePresets.json.
JOBS ?= $(shell nproc)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
export CTEST_PARALLEL_LEVEL := $(JOBS)

.PHONY: help demo test check bench gpu docs clean

help:
	@echo 'make demo    draw pairs, protect them, train on both, report: out/demo/report.html'
	@echo 'make test    build the library'\''s tests and run them'
	@echo 'make check   the slower rest: lint, sanitizers, Clang, packaging, API reference'
	@echo 'make bench   run the benchmarks; writes build/bench/summary.json'
	@echo 'make gpu     on a machine with a GPU: the CUDA backend'\''s tests, sanitizer, benchmarks'
	@echo 'make docs    build the API reference; writes build/docs/html'
	@echo 'make clean   remove build/ and out/'

demo:
	@scripts/install-deps demo
	cmake --preset demo
	cmake --build --preset demo
	rm -rf out/demo
	build/release/examples/tool/unlearn draw --out out/demo/pairs --train 800 --captions-per-image 1 --contrast 10
	build/release/examples/tool/unlearn reproduce --preset demo --pairs out/demo/pairs --out out/demo

test:
	@scripts/install-deps test
	cmake --preset release
	cmake --build --preset release
	ctest --preset release

check:
	@scripts/install-deps check
	@scripts/check

bench:
	@scripts/install-deps bench
	cmake --preset bench
	cmake --build --preset bench
	bench/run build/bench

gpu:
	@scripts/gpu

docs:
	@scripts/install-deps docs
	cmake --preset docs
	cmake --build --preset docs

clean:
	rm -rf build out
