# debrole. `make` on a fresh Debian 12 with a Rust toolchain does everything up to a published example fleet.
#
#   make              system packages, the tool, a development key, the example fleet in repo-out/, what to type next
#   make test         every test (root; builds Debian trees once under DEBROLE_TEST_CACHE)
#   make test-quick   the tests that need no Debian tree, in under two minutes
#   make lint         rustfmt, clippy, shellcheck, the generated documentation is fresh
#   make bench        debrole beside dpkg-deb, apt-ftparchive, reprepro, aptly and equivs, and a machine made beside debvm's
#   make deb          debrole itself as a Debian package in target/deb/
#   make install      to $(DESTDIR)$(PREFIX)

SHELL   := /bin/bash
PREFIX  ?= /usr/local
DESTDIR ?=
CARGO   ?= cargo
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
TARGET  := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

# What building and running needs, and what the tests need beside it.
BUILD_PACKAGES := gcc libc6-dev pkg-config libgpgme-dev libgpg-error-dev gpg gpg-agent gpgv apt-utils \
                  ca-certificates debian-archive-keyring
LINT_PACKAGES  := shellcheck dash
QUICK_PACKAGES := sqv strace sudo
TEST_PACKAGES  := age mmdebstrap systemd-container iproute2 socat lintian reprepro aptly debmirror python3-debian \
                  dpkg-dev debsums equivs fakeroot curl git xz-utils util-linux procps openssh-client time groff-base \
                  qemu-system-x86 ovmf libvirt-daemon-system libvirt-clients openssh-server \
                  fdisk mtools dosfstools e2fsprogs btrfs-progs xfsprogs
BENCH_PACKAGES := debvm python3
DEB_PACKAGES   := build-essential debhelper dpkg-dev lintian

# install-packages,LIST: installs those of LIST that are missing, and says nothing where none is.
define install-packages
@missing=; for p in $(1); do \
    [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null)" = installed ] || missing="$$missing $$p"; done; \
  if [ -n "$$missing" ]; then echo "Installing:$$missing"; \
    $(SUDO) apt-get update -qq && \
    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null; fi
endef

.PHONY: all build fleet test test-quick lint bench deb install uninstall clean build-packages lint-packages \
        quick-packages test-packages deb-packages reference have-cargo

all: build fleet
	@echo
	@echo "The example fleet is published in repo-out/. Next:"
	@echo "  $(TARGET)/release/debrole serve                 # on http://127.0.0.1:8000"
	@echo "  $(TARGET)/release/debrole show web              # what the role compiles to"
	@echo "  $(TARGET)/release/debrole init --help           # a fleet of your own"
	@echo "README.md tells how a machine joins."

have-cargo:
	@command -v $(CARGO) >/dev/null || { echo "make: no cargo found: install a Rust toolchain (1.89 or later), then run make again" >&2; exit 2; }

build-packages:
	$(call install-packages,$(BUILD_PACKAGES))
lint-packages: build-packages
	$(call install-packages,$(LINT_PACKAGES))
quick-packages: lint-packages
	$(call install-packages,$(QUICK_PACKAGES))
test-packages: quick-packages
	$(call install-packages,$(TEST_PACKAGES))
deb-packages: build-packages
	$(call install-packages,$(DEB_PACKAGES))

build: have-cargo build-packages
	$(CARGO) build --release --locked

fleet: build
	$(TARGET)/release/debrole key init --if-missing
	$(TARGET)/release/debrole build --first-publish

reference: build
	$(TARGET)/release/debrole reference doc

test: have-cargo test-packages
	CARGO="$(CARGO)" tests/all.sh

# Modules that are no quick tests: they need root, Debian trees, more programs than QUICK_PACKAGES has, or minutes.
SLOW := example:: provision:: backup:: secret:: faults:: readers:: machine:: runtime:: archive:: gate:: packages:: reproducible::
test-quick: have-cargo quick-packages
	$(CARGO) test --locked -- $(foreach s,$(SLOW),--skip $(s))

# The parts of the runtime's script, in the order in which they are put together.
RUNTIME = $(shell sed -n 's|^ *include_str!("\(runtime/[a-z-]*\.sh\)"),$$|src/lower/\1|p' src/lower/runtime.rs)
lint: have-cargo lint-packages
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	shellcheck $$(git ls-files '*.sh' ':!src/lower/runtime') .ci/run
	cat $(RUNTIME) | shellcheck --shell=dash -
	@# Built as the tests build it: on its own, some of the crates would be compiled twice.
	$(CARGO) test --quiet --locked --no-run
	$(TARGET)/debug/debrole reference --check doc

bench: build test-packages
	$(call install-packages,$(BENCH_PACKAGES))
	tests/bench/run.sh $(TARGET)/release/debrole
	$(SUDO) tests/bench/provision.sh $(TARGET)/release/debrole

deb: have-cargo deb-packages
	rm -rf $(TARGET)/deb && mkdir -p $(TARGET)/deb/debrole
	git ls-files -z | xargs -0 cp --parents -t $(TARGET)/deb/debrole
	cd $(TARGET)/deb/debrole && CARGO_TARGET_DIR=$(abspath $(TARGET)) dpkg-buildpackage -b -us -uc
	rm -rf $(TARGET)/deb/debrole
	lintian --fail-on error,warning $(TARGET)/deb/debrole_*.changes
	@ls $(TARGET)/deb/*.deb

install: build
	install -D -m 0755 $(TARGET)/release/debrole $(DESTDIR)$(PREFIX)/bin/debrole
	for page in doc/man/*.1; do install -D -m 0644 $$page $(DESTDIR)$(PREFIX)/share/man/man1/$${page##*/}; done
	install -D -m 0644 doc/reference.md $(DESTDIR)$(PREFIX)/share/doc/debrole/reference.md
	mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(TARGET)/release/debrole completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/debrole
	$(TARGET)/release/debrole completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_debrole
	$(TARGET)/release/debrole completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/debrole.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/debrole $(DESTDIR)$(PREFIX)/share/man/man1/debrole*.1
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/debrole
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/debrole $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_debrole $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/debrole.fish

clean:
	$(CARGO) clean
	rm -rf repo-out
