# make demo    a simulated GP estate with the gateway in front of it, on this machine
# make test    every test
# make lint    formatting, clippy, dependency rules
# make fuzz    strange bytes for everything that reads them, FUZZ_SECONDS (60) each, two at a time
# make soak    what takes long: a region of 10,000 practices and a million agreements, a journal of a
#              million records, a thousand changes of each kind, a thousand kills, 200 power cuts and
#              an hour's flood of refusals (as root), and make fuzz
# make bench   CPU per request beside a bare pingora proxy and HAProxy, links in answers, scrapes (some minutes)
# Each installs what a Debian machine with a Rust toolchain lacks for it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test fuzz soak lint bench setup setup-tests

help:
	@sed -n 's/^# //p' $(firstword $(MAKEFILE_LIST))

demo: setup
	cargo run --release --locked --bin gpconnect-gateway -- demo $(ARGS)

test: setup setup-tests
	cargo test --locked

fuzz: setup
	@deploy/setup fuzz
	FUZZ_SECONDS=$(or $(FUZZ_SECONDS),60) fuzz/run $(ARGS)

soak: setup setup-tests
	cargo test --release --locked --lib -- --ignored --test-threads=1
	cargo test --release --locked --test gateway -- --ignored
	$(MAKE) fuzz

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

bench: setup
	benches/run $(ARGS)
	benches/links
	benches/scrape

setup:
	@deploy/setup build

setup-tests:
	@deploy/setup tests
