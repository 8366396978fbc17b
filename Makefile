# nskit: build, install, test and measure. `make` alone builds the binary that `make install` installs.

SHELL := $(shell command -v bash)
.SHELLFLAGS = -euo pipefail -c
.DELETE_ON_ERROR:

PREFIX ?= /usr/local
DESTDIR ?=
# Where each kind of file goes, below DESTDIR; a distribution sets what it has elsewhere.
bindir ?= $(PREFIX)/bin
mandir ?= $(PREFIX)/share/man
docdir ?= $(PREFIX)/share/doc/nskit
bashdir ?= $(PREFIX)/share/bash-completion/completions
zshdir ?= $(PREFIX)/share/zsh/site-functions
fishdir ?= $(PREFIX)/share/fish/vendor_completions.d
# What is linked to nskit, and documented.
APPLETS ?= unshare nsenter setns
# 1: install also replaces files that are not nskit's.
FORCE ?=
CARGO ?= cargo
# A Rust target triple; by default musl on this machine's processor, or glibc where that cannot be had.
TARGET ?=

target_dir := $(or $(CARGO_TARGET_DIR),target)
# The static release binary, whichever C library is in it.
binary := $(target_dir)/static$(TARGET:%=/%)/nskit
sources := $(shell find src -name '*.rs') Cargo.toml Cargo.lock Makefile .ci/build-static .ci/layout.ld

.PHONY: all install uninstall test test-kernels docs bench clean

all: $(binary)

$(binary): $(sources)
	CARGO='$(CARGO)' .ci/build-static '$@' $(TARGET)

placed := DESTDIR='$(DESTDIR)' bindir='$(bindir)' mandir='$(mandir)' docdir='$(docdir)' bashdir='$(bashdir)' \
    zshdir='$(zshdir)' fishdir='$(fishdir)' binary='$(abspath $(binary))' APPLETS='$(APPLETS)' FORCE='$(FORCE)'

install: $(binary)
	@$(placed) packaging/install install

# What install put there, and nothing else.
uninstall:
	@$(placed) packaging/install uninstall

# The kernels that `make test` boots, the oldest that nskit promises, one between, and the newest; `make test-kernels`
# boots all. They run the binary of this machine's processor, so another than x86_64 boots none here.
kernels := $(if $(filter x86_64,$(shell uname -m)),x86_64-5.10 x86_64-6.1 x86_64-newest)

# Twice the same tests: of ours, and of the distribution's util-linux, which shows that the tests are
# about what both must do. MUST_RUN=1 makes a test that the machine cannot run a failure. In the background
# of a script SIGINT is ignored, and would be by the programs whose ends are tested.
test: $(binary)
	.ci/install-test-tools $(if $(kernels),kernels)
	$(if $(kernels),.ci/get-kernels .kernels $(kernels))
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_KERNELS='$(kernels)' env --default-signal $(CARGO) test
	UNDER_TEST=theirs env --default-signal $(CARGO) test --test it

aarch64 := aarch64-unknown-linux-musl

# On all the kernels that can be had, and on arm64. They are cached in .kernels; remove it for newer ones.
test-kernels: $(binary)
	.ci/install-test-tools all-kernels
	.ci/get-kernels .kernels
	$(MAKE) TARGET=$(aarch64)
	NSKIT_RELEASE='$(abspath $(binary))' NSKIT_RELEASE_AARCH64='$(abspath $(target_dir)/static/$(aarch64)/nskit)' \
	    $(CARGO) test --test kernels

# What is generated from the declarations and committed: man pages, completions, golden plans, recorded diagnoses.
docs:
	UPDATE_DOCS=1 $(CARGO) test --bin nskit -- docs golden said

bench: $(binary)
	NSKIT_RELEASE='$(abspath $(binary))' $(CARGO) bench --bench peers

clean:
	$(CARGO) clean
