# The front door. Each target is a line or two; the work is cargo's.
.DEFAULT_GOAL := help
.PHONY: help run check test quick crash disk-faults power-cut deny fuzz bench bench-instructions docs generated packages test-packages hostile

help: ## Show this list
	@sed -n 's/^\([a-z-]*\): .*## /\1#/p' $(MAKEFILE_LIST) | awk -F '#' '{printf "  make %-18s %s\n", $$1, $$2}'

run: ## Build the release binary and start the local emulator (ARGS="--listen ..." adds flags)
	cargo run --quiet --release --package boxwood -- dev $(ARGS)

check: ## Formatting, lints, documentation and plain English, with warnings denied
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --workspace
	docs/check-words.sh $(PROSE)

# What has been rewritten in plain English (docs/STYLE.md).
PROSE = Makefile README.md SECURITY.md CONTRIBUTING.md docs/*.md docs/adr examples packaging \
  docs/reference config fuzz $(addprefix crates/, bench boxwood/src catalog config-tree delivery \
  front-end transaction-engine/src/store)

test: ## All tests; the boundary tests drive the binary built here
	cargo build --quiet --package boxwood --package disk-shim
	cargo test --quiet --workspace

quick: ## Unit tests alone
	cargo test --quiet --workspace --lib --bins

crash: ## The crash tests with 500 kills and 5000 power cuts instead of the usual few
	cargo build --quiet --package boxwood --package disk-shim
	BOXWOOD_CRASH_KILLS=500 BOXWOOD_REPLAY_CUTS=5000 cargo test --quiet --package boundary-tests --test crash

hostile: ## Attack the release binary over loopback with large bodies and floods of frames, some minutes
	cargo build --quiet --release --package boxwood
	BOXWOOD_HOSTILE=$(CURDIR)/target/release/boxwood cargo test --quiet --package boundary-tests --test hostile

disk-faults: ## Fail each operation on files, one by one, in eight ways (a quarter of an hour)
	cargo build --quiet --package boxwood --package disk-shim
	BOXWOOD_DISK_FAULTS=1 cargo test --quiet --package boundary-tests --test crash faults -- --nocapture

power-cut: ## Cut the power under load, some two minutes; needs root and loop devices (BOXWOOD_POWER_CUTS=100)
	cargo build --quiet --package boxwood
	cargo test --quiet --package boundary-tests --test crash power_cut -- --ignored --show-output

deny: ## Licences, sources and duplicate versions of dependencies (needs cargo-deny)
	cargo deny --offline check licenses bans sources

# With cargo-fuzz and a nightly compiler; without them the same targets change inputs by chance. What
# breaks a promise goes into fuzz/artifacts, what reaches something new into fuzz/found.
fuzz: ## Look for inputs that break a promise, one minute for each target (SECONDS=600)
	@if cargo +nightly fuzz --version >/dev/null 2>&1; then \
	  cp Cargo.lock fuzz/Cargo.lock; \
	  for file in fuzz/fuzz_targets/*.rs; do \
	    target=$$(basename "$$file" .rs); mkdir -p "fuzz/found/$$target"; \
	    cargo +nightly fuzz run --sanitizer none --release "$$target" \
	      "fuzz/found/$$target" "fuzz/corpus/$$target" -- \
	      -max_total_time=$(or $(SECONDS),60) -max_len=8192 -timeout=10 || exit 1; \
	  done; \
	else \
	  BOXWOOD_FUZZ_SECONDS=$(or $(SECONDS),60) BOXWOOD_FUZZ_SEED=$$(date +%s) \
	    cargo test --quiet --package fuzz-targets -- --nocapture; \
	fi

bench: ## Measure speed and memory as ratios, a few minutes (ARGS="--only reads", "--quick")
	cargo build --quiet --release --package boxwood
	cargo build --quiet --release --package bench
	target/release/bench --plot docs/reference/performance.svg $(ARGS)

bench-instructions: ## Count instructions and allocations of four paths, compare with what is checked in
	cargo build --quiet --release --package bench
	crates/bench/instructions.sh $(ARGS)

docs: ## Rust documentation, private items included, in target/doc
	cargo doc --no-deps --workspace --document-private-items

generated: ## Rewrite the checked-in files that are made from code (tests with "generated" in their names)
	UPDATE=1 cargo test --quiet --workspace --lib --bins generated
	@git --no-pager diff --stat

packages: ## A static binary, a Debian package and a container image in target/packages
	packaging/build.sh

test-packages: ## Build the packages unoptimised, install and run them in namespaces (as root)
	PROFILE=dev packaging/build.sh
	tests/packages/run.sh
