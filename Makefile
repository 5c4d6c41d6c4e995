# make help lists the targets; longer steps are scripts in test/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all

# The directory in which rustup installs cargo, for shells without it on PATH.
export CARGO_HOME ?= $(HOME)/.cargo
export PATH := $(CARGO_HOME)/bin:$(PATH)
export CARGO_TARGET_DIR ?= $(CURDIR)/target

CARGO ?= cargo
RUST_VERSION := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
NAME := crio-credential-provider
BUILD_DIR := build
BINARY := $(BUILD_DIR)/$(NAME)

PREFIX ?= /usr
PLUGIN_DIR ?= $(PREFIX)/libexec/kubelet-image-credential-provider-plugins

# The same commit gives the same binary.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null)
ifneq ($(SOURCE_DATE_EPOCH),)
export SOURCE_DATE_EPOCH
endif

# The default of --registries-conf.
ifneq ($(REGISTRIES_CONF),)
export REGISTRIES_CONF
endif

# These variables select the target of the build; test/target chooses the Rust target.
export TARGET GOOS GOARCH

# The test programs; PROVIDER may be any build of the provider.
PROVIDER ?= $(CARGO_TARGET_DIR)/debug/$(NAME)
TEST_CLUSTER ?= $(CARGO_TARGET_DIR)/debug/test-cluster
export PROVIDER TEST_CLUSTER

SHELL_FILES = $$(shfmt -f test packaging deploy .ci)

.PHONY: help
help: ## Show this help
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables\n'
	@printf '  %-16s %s\n' \
		'GOOS, GOARCH' 'platform to build for: linux, and amd64, arm64, ppc64le or s390x' \
		TARGET 'the same as a Rust target; without any of them, this machine' \
		REGISTRIES_CONF 'default of --registries-conf, compiled in' \
		'DESTDIR, PREFIX' 'where "make install" puts files' \
		PROVIDER 'the binary that "make local-e2e" and "make demo" try' \
		KEEP '"make demo KEEP=1" leaves its node running, to try things on'

##@ Build

.PHONY: all
all: build manual ## Build the release binary, man pages and shell completions

.PHONY: build
build: ## Build only the release binary, build/crio-credential-provider
	@test/setup rust cc static
	@test/build $(BINARY)

# A binary or page that is older than its sources is not installed or packaged. Root may have no
# cargo, so "make && sudo make install" builds nothing again.
COMMIT := $(wildcard .git/logs/HEAD)
PROGRAM_SOURCES := $(shell find Cargo.toml Cargo.lock build.rs src crates/*/Cargo.toml crates/*/src \
	test/build test/target test/no-unwind.ld test/start.ld -type f)
MANUAL := $(BUILD_DIR)/man/$(NAME).8

$(BINARY): $(PROGRAM_SOURCES) $(COMMIT)
	@test/buildable $@
	@$(MAKE) --no-print-directory build

$(MANUAL): $(PROGRAM_SOURCES) $(wildcard examples/manual/*)
	@test/buildable $@
	@$(MAKE) --no-print-directory manual

.PHONY: manual
manual: ## Write man pages and shell completions: build/man, build/completions
	@test/setup rust cc
	@test/progress 'building the manual' $(CARGO) build --locked --example manual
	@rm -rf $(BUILD_DIR)/man $(BUILD_DIR)/completions
	@$(CARGO) run --quiet --locked --example manual -- $(BUILD_DIR)

.PHONY: pictures
pictures: ## Draw the pictures of the documents from their sources
	@test/setup dot
	dot -Tsvg docs/flow.dot -o docs/flow.svg

.PHONY: auditable
auditable: ## Build it with the list of its dependencies inside, for "cargo audit bin"
	@test/setup rust cc static cargo-auditable
	@AUDITABLE=yes test/build $(BINARY)

.PHONY: sbom
sbom: ## Write its bill of materials, build/crio-credential-provider.cdx.json (CycloneDX)
	@test/setup rust static git jq cargo-cyclonedx
	@test/sbom $(BINARY).cdx.json

.PHONY: reproducible
reproducible: ## Build it twice in two folders, and compare the bytes
	@test/setup rust cc static git
	@test/reproducible

.PHONY: install
install: export DESTDIR := $(DESTDIR)
install: export PREFIX := $(PREFIX)
install: export PLUGIN_DIR := $(PLUGIN_DIR)
install: $(BINARY) $(MANUAL) ## Install the binary where kubelet looks for it, man pages and completions
	@packaging/install $(BINARY)

.PHONY: deb
deb: $(BINARY) $(MANUAL) ## Pack the binary for Debian and Ubuntu: build/*.deb
	@test/setup git dpkg-deb readelf
	@packaging/deb $(BINARY) $(BUILD_DIR)

.PHONY: rpm
rpm: $(BINARY) $(MANUAL) ## Pack the binary for Fedora and RHEL: build/*.rpm
	@test/setup git rpmbuild readelf
	@packaging/rpm $(BINARY) $(BUILD_DIR)

.PHONY: srpm
srpm: ## Pack the source with all crates, for mock: build/*.src.rpm
	@test/setup git rust rpmbuild
	@SOURCE=yes packaging/rpm '' $(BUILD_DIR)

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BUILD_DIR)
	@test/clean "$(CARGO_TARGET_DIR)"

##@ Test

.PHONY: test
test: ## Run all tests that need no cluster and no registry
	@test/setup rust cc
	@test/cargo-test --workspace --locked

.PHONY: test-as-user
test-as-user: ## As root: the same tests, the README's commands and the demo as an ordinary user
	@test/setup rust cc jq skopeo registry htpasswd
	@$(DEBUG_BUILD)
	@test/as-user

DEBUG_BUILD = test/progress 'building the provider' \
	$(CARGO) build --locked --package $(NAME) --package test-cluster

.PHONY: local-e2e
local-e2e: ## Pull with a real registry and a real skopeo, without a cluster
	@test/setup rust cc bats jq skopeo registry htpasswd curl inotifywait
	@$(DEBUG_BUILD)
	bats $(BATS_ARGS) test/registry.bats test/helpers.bats test/local.bats test/demo.bats

.PHONY: shell-tests
shell-tests: ## Test the work of make around cargo
	@test/setup bats
	bats $(BATS_ARGS) test/make.bats

.PHONY: e2e
e2e: $(BINARY) ## Pull with a real kubelet, CRI-O and API server, in a virtual machine (Vagrant)
	@command -v vagrant >/dev/null || { echo 'e2e: vagrant is missing, with libvirt or VirtualBox; or see test/README.md' >&2; exit 1; }
	cd test && vagrant up && vagrant rsync
	test/vagrant-run test/e2e-run

.PHONY: packages
packages: deb rpm ## Build both packages and try them, "make install" and the node installer
	@test/setup bats jq
	bats $(BATS_ARGS) test/packages.bats

.PHONY: demo
demo: ## Show one pull through a mirror that needs a login, step by step
	@test/setup rust cc jq skopeo registry htpasswd
	@$(DEBUG_BUILD)
	@KEEP=$(KEEP) test/demo

.PHONY: coverage
coverage: ## Measure test coverage: build/coverage/lcov.info and html/index.html
	@test/coverage $(BUILD_DIR)/coverage

# The release binary is measured; the program that measures it may be any build.
bench performance guard: PROVIDER = $(BINARY)

.PHONY: bench
bench: build ## Measure the release binary, and its stages: RUNS=, PEER=, PEER_ARGS=
	@test/setup rust cc
	$(CARGO) bench --locked --bench process
	$(CARGO) bench --locked --bench stages

.PHONY: performance
performance: build ## Measure all figures of docs/performance.md, and write them there
	@test/setup rust cc valgrind
	$(CARGO) bench --locked --bench stages | tee $(BUILD_DIR)/stages.txt
	STAGES=$(BUILD_DIR)/stages.txt $(CARGO) bench --locked --bench process -- performance

.PHONY: guard
guard: $(BINARY) ## Compare instructions and size of the release binary with what is committed
	@test/setup rust cc valgrind
	$(CARGO) bench --profile dev --locked --bench process -- guard

.PHONY: order
order: ## After much has changed: put the functions of a short run next to each other, test/start.ld
	@test/setup rust cc static valgrind
	@CARGO_PROFILE_RELEASE_STRIP=none test/build $(BUILD_DIR)/with-symbols
	PROVIDER=$(BUILD_DIR)/with-symbols $(CARGO) bench --profile dev --locked --bench process -- order

.PHONY: fuzz-smoke
fuzz-smoke: ## Run every fuzz target over its corpus and some mutations, on stable
	@test/setup rust cc
	$(CARGO) test --locked --manifest-path fuzz/Cargo.toml

##@ Check

.PHONY: lint
lint: fmt clippy doc deny ## Run fmt, clippy, doc and deny

.PHONY: fmt
fmt: ## Check the formatting of Rust code
	@test/setup rust rustfmt
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: ## Run clippy, warnings are errors
	@test/setup rust cc clippy
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: oldest-rust
oldest-rust: ## Build with the oldest Rust that Cargo.toml allows, installed by rustup
	@test/setup rust cc
	rustup toolchain install --profile minimal $(RUST_VERSION)
	rustup run $(RUST_VERSION) cargo check --workspace --all-targets --locked

.PHONY: doc
doc: ## Build the documentation, private items included, warnings are errors
	@test/setup rust cc
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --locked --no-deps --document-private-items

.PHONY: deny
deny: ## Check licences, sources, duplicates and advisories of dependencies
	@test/deny

.PHONY: dependencies
dependencies: ## Check that versions are consistent, and report newer ones
	@test/setup rust jq
	@test/dependencies

.PHONY: shellcheck
shellcheck: ## Check shell scripts and bats files
	@test/setup shfmt shellcheck bats
	shellcheck --external-sources $(SHELL_FILES)
	for file in test/*.bats; do bats --count "$$file" >/dev/null; done

.PHONY: shfmt
shfmt: ## Check the formatting of shell scripts and bats files
	@test/setup shfmt
	shfmt -d $(SHELL_FILES)

.PHONY: workflows
workflows: ## Check the GitHub workflows
	@test/setup python-venv
	@test/workflows

.PHONY: ci
ci: ## Run all checks of the CI
	.ci/run
