# nskit: build, install, test and measure. `make` alone builds the binary that `make install` installs.

SHELL := $(shell command -v bash)
.SHELLFLAGS = -euo pipefail -c
.DELETE_ON_ERROR:

# PREFIX, DESTDIR, bindir and the other directories, APPLETS and FORCE are read by packaging/install.
CARGO ?= cargo
# A Rust target triple; by default musl on this machine's processor, or glibc where that cannot be had.
TARGET ?=
# 1: full RELRO, BIND_NOW and code apart from data, as distributions require it; what it costs is in CONTRIBUTING.md.
HARDEN ?=

target_dir := $(or $(CARGO_TARGET_DIR),target)
# The static release binary, whichever C library is in it.
binary := $(target_dir)/$(if $(filter 1,$(HARDEN)),hardened,static)$(TARGET:%=/%)/nskit
sources := $(shell find src -name '*.rs') Cargo.toml Cargo.lock Makefile .ci/build-static .ci/link-static-pie $(wildcard .ci/*.ld)

.PHONY: all static-toolchain install uninstall dist deb test test-dist test-deb test-kernels test-faults test-model \
    test-stress test-mutants fuzz docs bench clean

all: $(binary)

$(binary): $(sources)
	CARGO='$(CARGO)' HARDEN='$(HARDEN)' .ci/build-static '$@' $(TARGET)

# The only thing that fetches a part of Rust: musl's standard library, or TARGET's, by rustup.
static-toolchain:
	rustup target add $(or $(TARGET),$$(rustc -vV | sed -n 's/^host: //; s/-gnu/-musl/p'))

install: $(binary)
	@binary='$(abspath $(binary))' packaging/install install

# What install put there, and nothing else.
uninstall:
	@packaging/install uninstall

version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
dist := $(target_dir)/dist
# What is released: the targets that can be built here; the first is this machine's.
DIST_TARGETS ?= $(shell packaging/targets)

# Everything that is released, into target/dist: a static tarball and an image for each target, the list of what is in
# them (SPDX), their sums; packages for Debian where dpkg-deb is. The same bytes wherever it is run.
dist:
	version='$(version)' dist='$(dist)' CARGO='$(CARGO)' packaging/dist $(DIST_TARGETS)

# The hardened binary, which distributions want.
deb:
	$(MAKE) HARDEN=1 TARGET=$(firstword $(DIST_TARGETS))
	version='$(version)' dist='$(dist)' packaging/deb \
	    '$(target_dir)/hardened/$(firstword $(DIST_TARGETS))/nskit' $(firstword $(DIST_TARGETS))

# A second build, in another place, must give the same bytes.
test-dist: dist
	dist='$(dist)' packaging/test-dist $(DIST_TARGETS)

# The Debian packages, installed and purged in a root of their own.
test-deb: deb
	.ci/install-test-tools packages
	version='$(version)' dist='$(dist)' packaging/test-deb

# The kernels that `make test` boots, the oldest that nskit promises, one between, and the newest; `make test-kernels`
# boots all. They run the binary of this machine's processor, so another than x86_64 boots none here.
kernels := $(if $(filter x86_64,$(shell uname -m)),x86_64-5.10 x86_64-6.1 x86_64-newest)

# What is built where musl cannot be had, on a machine whose C library is glibc.
glibc := $(filter %-gnu,$(shell rustc -vV | sed -n 's/^host: //p'))

# Twice the same tests: of ours, and of the distribution's util-linux, which shows that the tests are
# about what both must do. A machine without a network does not wait for it long. MUST_RUN=1 makes a test that the machine
# cannot run a failure. In the background of a script SIGINT is ignored, and would be by the programs whose ends are tested.
test:
	! command -v rustup >/dev/null || timeout 120 $(MAKE) static-toolchain || true
	$(MAKE) all
	$(MAKE) all HARDEN=1
	$(if $(glibc),$(MAKE) all TARGET=$(glibc))
	.ci/install-test-tools $(if $(kernels),kernels)
	$(if $(kernels),.ci/get-kernels .kernels $(kernels))
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_HARDENED='$(abspath $(target_dir)/hardened/nskit)' \
	    $(if $(glibc),NSKIT_GLIBC='$(abspath $(target_dir)/static/$(glibc)/nskit)') \
	    NSKIT_KERNELS='$(kernels)' env --default-signal $(CARGO) test
	UNDER_TEST=theirs env --default-signal $(CARGO) test --test it

aarch64 := aarch64-unknown-linux-musl

# On all the kernels that can be had, and on arm64. They are cached in .kernels; remove it for newer ones.
test-kernels: $(binary)
	.ci/install-test-tools all-kernels
	.ci/get-kernels .kernels
	! command -v rustup >/dev/null || timeout 120 $(MAKE) static-toolchain TARGET=$(aarch64) || true
	$(MAKE) TARGET=$(aarch64)
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_RELEASE_AARCH64='$(abspath $(target_dir)/static/$(aarch64)/nskit)' \
	    $(CARGO) test --test kernels

# Every fault; `make test` takes a tenth of them, another each day.
test-faults: $(binary)
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_FAULTS=all $(CARGO) test --test faults -- --skip model --skip stress

# How many: random command lines that util-linux does too; runs of each sort of stress, of which the slower ones do a part
# beyond 1000, in batches that each have a verdict; mutations of each corpus, or instead for how many FUZZ_SECONDS.
LINES ?= 10000
RUNS ?= 1000
MUTATIONS ?= 1000000
FUZZ_SECONDS ?=

test-model: $(binary)
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_MODEL=$(LINES) $(CARGO) test --test faults -- model

test-stress: $(binary)
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_STRESS=$(RUNS) $(CARGO) test --test faults -- stress

# Small changes of these files that no unit test notices; by default of those that have changed; with SHARD=2/60 every
# sixtieth change of all.
SHARD ?=
FILES ?= $(shell git diff --name-only --diff-filter=d origin/HEAD -- 'src/*.rs')

test-mutants:
	TESTS='$(TESTS)' SHARD='$(SHARD)' .ci/mutants $(if $(SHARD),,$(FILES))

# Optimized it tries five times as many; overflows are found as without.
fuzz:
	CARGO_PROFILE_TEST_OPT_LEVEL=2 $(if $(FUZZ_SECONDS),NSKIT_FUZZ_SECONDS=$(FUZZ_SECONDS),NSKIT_FUZZ=$(MUTATIONS)) \
	    $(CARGO) test --bin nskit -- fuzz --nocapture

# What is generated from the declarations and committed: man pages, completions, golden plans, recorded diagnoses.
docs:
	UPDATE_DOCS=1 $(CARGO) test --bin nskit -- docs golden said

bench: $(binary)
	NSKIT_RELEASE='$(abspath $(binary))' $(CARGO) bench --bench peers

clean:
	$(CARGO) clean
