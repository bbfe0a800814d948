# heartbeat-server: build, test, package, install. `make help` lists the targets.
#
# Everything made lies under target/; tools that have to be built are kept in
# target/tools, so that a second run is quick and `make clean` takes them too.

CARGO    ?= cargo
PREFIX   ?= /usr/local
DESTDIR  ?=
TARGET   := $(or $(CARGO_TARGET_DIR),target)
# Absolute, and used in recipes only, in quotes: a path may hold spaces, which make's lists and file names cannot.
ABSOLUTE := $(if $(filter /%,$(TARGET)),$(TARGET),$(CURDIR)/$(TARGET))
TOOLS    ?= $(ABSOLUTE)/tools
BIN      := $(TARGET)/release/heartbeat-server
CLIENT   := $(TARGET)/release/heartbeat
# What packages hold besides the program. Not under CARGO_TARGET_DIR: Cargo.toml names it.
PACKAGE  := target/package
DEB_DIR  ?= target/debian
RPM_DIR  ?= target/rpm
DIST_DIR ?= target/dist
# Other version numbers for the packages, for trying out upgrades.
DEB_VERSION ?=
RPM_RELEASE ?= 1
# Where the source tarball will be found, for the Homebrew formula.
SOURCE_URL ?= file://$(CURDIR)/$(DIST_DIR)
VERSION  := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
# Where packaging/cross/build puts what it compiled.
CROSS    := target/cross/shared/target
# The time in the package is that of the last commit, so two builds are one file.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),$(shell date -r Cargo.toml +%s))

CARGO_DEB_VERSION  := 3.8.0
CARGO_RPM_VERSION  := 0.21.1
CARGO_FUZZ_VERSION := 0.13.1
FUZZ_SECONDS       ?= 60
SEEDS              ?= 10000
FROM               ?= 0

# Where systemd looks, asked of systemd itself and moved under PREFIX.
pkgdir      = $(or $(shell pkg-config --define-variable=rootprefix=$(PREFIX) --define-variable=prefix=$(PREFIX) \
                           --variable=$(1) systemd 2>/dev/null),$(PREFIX)/lib/$(2))
UNITDIR     ?= $(call pkgdir,systemdsystemunitdir,systemd/system)
SYSUSERSDIR ?= $(call pkgdir,sysusersdir,sysusers.d)
# firewalld and ufw look nowhere else, whatever the prefix.
FIREWALLDDIR ?= /usr/lib/firewalld/services
UFWDIR       ?= /etc/ufw/applications.d

.PHONY: help build run test unit-test system-test simulate faults mutants lint bench fuzz deb rpm static deb-arm64 source dist install uninstall check-macos completions needs generated clean

help:
	@echo 'make run            build and start on port 7777, state under target/run'
	@echo 'make test           all tests; as root those in a booted Debian too'
	@echo 'make simulate       the whole system in simulated time, SEEDS ($(SEEDS)) worlds'
	@echo 'make faults         journal and tables: every bit flipped, every byte cut, every call failing; half an hour'
	@echo 'make mutants        small changes of the pure modules, each tried on their unit tests; MODULES chooses some'
	@echo 'make lint           formatting, clippy, scripts'
	@echo 'make bench          what a beat costs: the core, a million monitors, next to nginx, and kept connections'
	@echo 'make fuzz           every fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make deb            Debian packages of server and client in $(DEB_DIR)'
	@echo 'make rpm            the same for rpm in $(RPM_DIR)'
	@echo 'make static         tarballs with static programs and install.sh in $(DIST_DIR), x86_64 and aarch64 (root)'
	@echo 'make deb-arm64      Debian packages for arm64, cross-compiled (root)'
	@echo 'make source         source tarball of the last commit, and the Homebrew formula for it with SOURCE_URL'
	@echo 'make dist           all of these in $(DIST_DIR), with SHA256SUMS; half an hour'
	@echo 'make install        into DESTDIR and PREFIX ($(PREFIX)); make uninstall takes it out again'
	@echo 'make check-macos    compile and link the macOS side on Linux (root)'
	@echo 'make clean          remove target/'

# `sudo make install` often finds no cargo: what was built before is then taken as it is.
build:
	@if command -v $(CARGO) >/dev/null || ! test -x '$(BIN)' -a -x '$(CLIENT)'; then \
	  echo '$(CARGO) build --release --locked'; $(CARGO) build --release --locked; \
	else echo '$(CARGO) is not here, so $(BIN) and $(CLIENT) are taken as they are'; fi

run:
	HEARTBEAT_CONTROL=target/run/control.sock $(CARGO) run --release --locked -- --state-dir target/run/state

# --- tests

# Tests that could not run where they are write their names here; the closing line of `make test` says them.
SKIPS := $(ABSOLUTE)/skips

test: needs
	mkdir -p '$(ABSOLUTE)' && rm -f '$(SKIPS)' && touch '$(SKIPS)'
	HEARTBEAT_SKIPS='$(SKIPS)' $(MAKE) --no-print-directory unit-test network-test browser-test ws-conformance openapi-test compat-test system-test
	@sort -u '$(SKIPS)' | sed 's/^SKIPPED //' | \
	  awk '{ all = all (NR > 1 ? "; " : "") $$0 } END { print "skipped: " NR (NR ? ": " all : "") }'

unit-test:
	$(CARGO) test --locked

# Old clients and servers, and networks that fail. Chosen ones: make network-test NETWORKS='slow crowd'
.PHONY: network-test
network-test:
	$(CARGO) build --locked
	python3 tests/network/run.py '$(TARGET)/debug' $(NETWORKS)

# With the program that the tests before this one built. Chosen ones: make browser-test PAGES='live many'
.PHONY: browser-test
browser-test:
	$(CARGO) build --locked
	python3 tests/browser/run.py '$(TARGET)/debug/heartbeat-server' $(PAGES)

# With a program that has an endpoint for it, which no package has. Chosen ones: make ws-conformance CASES='6.* 7.*'
.PHONY: ws-conformance
ws-conformance:
	$(CARGO) build --locked --features ws-echo
	TOOLS='$(TOOLS)' python3 tests/conformance/run.py '$(TARGET)/debug/heartbeat-server' $(CASES)

# Clients made from the API's own description, by two generators (one wants Java), and used.
.PHONY: openapi-test
openapi-test:
	$(CARGO) build --locked
	TOOLS='$(TOOLS)' python3 tests/openapi/run.py '$(TARGET)/debug/heartbeat-server'

# Clients of other services, from PyPI, unchanged.
.PHONY: compat-test
compat-test:
	$(CARGO) build --locked
	TOOLS='$(TOOLS)' python3 tests/compat/run.py '$(TARGET)/debug/heartbeat-server'

# Chosen ones: make system-test SCENARIOS='install purge'
system-test:
	TOOLS='$(TOOLS)' python3 tests/system/run.py $(SCENARIOS)

# The manuals and the sample configuration, from their templates and what the program declares.
generated:
	REGENERATE=1 $(CARGO) test --locked --lib shipped_files

# As many simulated worlds as wanted, each from its number: make simulate SEEDS=100000 FROM=10000
simulate:
	SEEDS=$(SEEDS) FROM=$(FROM) $(CARGO) test --release --locked --test simulation

# Of these sweeps `make test` goes through a part.
faults:
	HEARTBEAT_FAULTS=all $(CARGO) test --locked --lib rot::
	HEARTBEAT_FAULTS=all $(CARGO) test --locked --test integration faults::

# Whether unit tests notice small changes of the pure modules. Chosen ones: make mutants MODULES='registry schedule'
mutants:
	TOOLS='$(TOOLS)' python3 tests/mutants/run.py $(MODULES)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings
	set -e; for script in packaging/debian*/preinst packaging/debian*/postinst packaging/debian*/prerm packaging/debian*/postrm; do sh -n $$script; done
	set -e; for script in packaging/rpm*/* packaging/debian/tests/smoke packaging/debian/tests/client packaging/static/install.sh; do sh -n $$script; done
	set -e; for script in packaging/launchd/install.sh packaging/openrc/heartbeat-server packaging/freebsd/heartbeat_server; do sh -n $$script; done
	set -e; for script in .ci/run tests/system/needs packaging/macos/check tests/system/manuals packaging/cross/*; do bash -n $$script; done
	tests/system/manuals
	if command -v cargo-deny >/dev/null; then $(CARGO) deny check bans licenses sources; fi

bench: build
	command -v nginx >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y --no-install-recommends nginx-light; } || true
	$(CARGO) bench --locked --bench core
	$(CARGO) bench --locked --bench scale
	$(CARGO) bench --locked --bench alerts
	$(CARGO) bench --locked --bench http
	$(CARGO) bench --locked --bench connections

fuzz: cargo-fuzz
	set -e; for target in fuzz/fuzz_targets/*.rs; do \
	  PATH='$(TOOLS)/bin':"$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run "$$(basename "$$target" .rs)" -- -max_total_time=$(FUZZ_SECONDS); \
	done

check-macos:
	packaging/macos/check

# What the tests run but a fresh machine lacks. As root on Debian it is installed, elsewhere named.
needs:
	tests/system/needs

# --- packages

completions: build
	mkdir -p $(PACKAGE)
	'$(BIN)' generate completions bash > $(PACKAGE)/heartbeat-server.bash
	'$(BIN)' generate completions zsh > $(PACKAGE)/_heartbeat-server
	'$(BIN)' generate completions fish > $(PACKAGE)/heartbeat-server.fish
	'$(CLIENT)' generate completions bash > $(PACKAGE)/heartbeat.bash
	'$(CLIENT)' generate completions zsh > $(PACKAGE)/_heartbeat
	'$(CLIENT)' generate completions fish > $(PACKAGE)/heartbeat.fish

deb: completions cargo-deb
	mkdir -p '$(DEB_DIR)'
	set -e; for variant in '' '--variant=client'; do \
	  SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) '$(TOOLS)/bin/cargo-deb' --no-build --locked --output '$(DEB_DIR)' \
	    $$variant $(if $(DEB_VERSION),--deb-version $(DEB_VERSION)); \
	done

# cargo-generate-rpm takes the files as they are, and rpm expects manuals compressed.
rpm: completions cargo-generate-rpm
	mkdir -p '$(RPM_DIR)' $(PACKAGE)/zh_CN
	set -e; cd man; for page in *.[1-8] zh_CN/*.[1-8]; do gzip -9nc $$page > ../$(PACKAGE)/$$page.gz; done
	set -e; for variant in '' '--variant=client'; do \
	  SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) '$(TOOLS)/bin/cargo-generate-rpm' --auto-req builtin --output '$(RPM_DIR)/' \
	    $$variant --set-metadata 'release = "$(RPM_RELEASE)"'; \
	done

static: completions
	packaging/cross/build x86_64-unknown-linux-musl aarch64-unknown-linux-musl
	set -e; for arch in x86_64 aarch64; do \
	  SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) packaging/static/pack $(CROSS)/$$arch-unknown-linux-musl/release \
	    heartbeat-server-$(VERSION)-$$arch-linux-musl '$(DIST_DIR)'; \
	done

# What dpkg-shlibdeps has to know of the other processor's glibc is in the chroot, so cargo-deb runs there.
deb-arm64: completions cargo-deb
	packaging/cross/build aarch64-unknown-linux-gnu
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) packaging/cross/deb '$(TOOLS)/bin/cargo-deb' aarch64-unknown-linux-gnu '$(DEB_DIR)' \
	  $(if $(DEB_VERSION),--deb-version $(DEB_VERSION))

# The formula names the tarball's checksum, so it is made after it and lies beside it.
source:
	mkdir -p $(DIST_DIR)
	git archive --format=tar --prefix=heartbeat-server-$(VERSION)/ HEAD | gzip -9n > $(DIST_DIR)/heartbeat-server-$(VERSION).tar.gz
	sum="$$(sha256sum < $(DIST_DIR)/heartbeat-server-$(VERSION).tar.gz)" && \
	  sed "s|@URL@|$(SOURCE_URL)/heartbeat-server-$(VERSION).tar.gz|; s|@SHA256@|$${sum%% *}|" \
	    packaging/homebrew/heartbeat-server.rb > $(DIST_DIR)/heartbeat-server.rb

dist: deb rpm static deb-arm64 source
	cp $(DEB_DIR)/*_$(VERSION)-*.deb $(RPM_DIR)/*-$(VERSION)-*.rpm $(DIST_DIR)
	cd $(DIST_DIR) && sha256sum *.deb *.rpm *.tar.gz > SHA256SUMS

# A build folder of their own, or the tools' features would unsettle ours; and little time on making them fast.
QUICKLY := CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0
install_tool = test -x '$(TOOLS)/bin/$(1)' || { \
	  $(QUICKLY) CARGO_TARGET_DIR='$(TOOLS)/build' $(CARGO) install $(1) --version $(2) --locked --root '$(TOOLS)' && \
	  rm -rf '$(TOOLS)/build'; }

.PHONY: cargo-deb cargo-generate-rpm cargo-fuzz
cargo-deb:
	@$(call install_tool,cargo-deb,$(CARGO_DEB_VERSION))
cargo-generate-rpm:
	@$(call install_tool,cargo-generate-rpm,$(CARGO_RPM_VERSION))
cargo-fuzz:
	@$(call install_tool,cargo-fuzz,$(CARGO_FUZZ_VERSION))

# --- installing without a package manager. The configuration is only installed where there is none.

install: completions
	install -D -m 755 '$(BIN)' '$(DESTDIR)$(PREFIX)/sbin/heartbeat-server'
	install -D -m 755 '$(CLIENT)' '$(DESTDIR)$(PREFIX)/bin/heartbeat'
	install -D -m 644 man/heartbeat.1 '$(DESTDIR)$(PREFIX)/share/man/man1/heartbeat.1'
	install -D -m 644 man/heartbeat-server.8 '$(DESTDIR)$(PREFIX)/share/man/man8/heartbeat-server.8'
	install -D -m 644 man/heartbeat-server.toml.5 '$(DESTDIR)$(PREFIX)/share/man/man5/heartbeat-server.toml.5'
	install -D -m 644 man/zh_CN/heartbeat.1 '$(DESTDIR)$(PREFIX)/share/man/zh_CN/man1/heartbeat.1'
	install -D -m 644 man/zh_CN/heartbeat-server.8 '$(DESTDIR)$(PREFIX)/share/man/zh_CN/man8/heartbeat-server.8'
	install -D -m 644 man/zh_CN/heartbeat-server.toml.5 '$(DESTDIR)$(PREFIX)/share/man/zh_CN/man5/heartbeat-server.toml.5'
	install -D -m 644 $(PACKAGE)/heartbeat-server.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/heartbeat-server'
	install -D -m 644 $(PACKAGE)/_heartbeat-server '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_heartbeat-server'
	install -D -m 644 $(PACKAGE)/heartbeat-server.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/heartbeat-server.fish'
	install -D -m 644 $(PACKAGE)/heartbeat.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/heartbeat'
	install -D -m 644 $(PACKAGE)/_heartbeat '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_heartbeat'
	install -D -m 644 $(PACKAGE)/heartbeat.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/heartbeat.fish'
	test -e '$(DESTDIR)/etc/heartbeat-client/heartbeat-client.toml' || \
	  install -D -m 644 packaging/heartbeat-client.toml '$(DESTDIR)/etc/heartbeat-client/heartbeat-client.toml'
	test -e '$(DESTDIR)/etc/heartbeat-server/heartbeat-server.toml' || \
	  install -D -m 644 packaging/heartbeat-server.toml '$(DESTDIR)/etc/heartbeat-server/heartbeat-server.toml'
ifeq ($(shell uname -s),Linux)
	install -d '$(DESTDIR)$(UNITDIR)'
	sed 's|/usr/sbin/heartbeat-server|$(PREFIX)/sbin/heartbeat-server|' packaging/systemd/heartbeat-server.service \
	  > '$(DESTDIR)$(UNITDIR)/heartbeat-server.service'
	chmod 644 '$(DESTDIR)$(UNITDIR)/heartbeat-server.service'
	sed 's|/usr/bin/heartbeat|$(PREFIX)/bin/heartbeat|' packaging/systemd/heartbeat-client.service \
	  > '$(DESTDIR)$(UNITDIR)/heartbeat-client.service'
	chmod 644 '$(DESTDIR)$(UNITDIR)/heartbeat-client.service'
	install -D -m 644 packaging/sysusers/heartbeat-client.conf '$(DESTDIR)$(SYSUSERSDIR)/heartbeat-client.conf'
	install -m 644 packaging/systemd/heartbeat-server.socket '$(DESTDIR)$(UNITDIR)/heartbeat-server.socket'
	install -m 644 packaging/systemd/heartbeat-server-tcp.socket '$(DESTDIR)$(UNITDIR)/heartbeat-server-tcp.socket'
	install -d '$(DESTDIR)$(PREFIX)/share/heartbeat-server'
	sed 's|/usr/share/heartbeat-server|$(PREFIX)/share/heartbeat-server|' packaging/systemd/lockdown.conf \
	  > '$(DESTDIR)$(PREFIX)/share/heartbeat-server/lockdown.conf'
	chmod 644 '$(DESTDIR)$(PREFIX)/share/heartbeat-server/lockdown.conf'
	install -D -m 644 packaging/sysusers/heartbeat-server.conf '$(DESTDIR)$(SYSUSERSDIR)/heartbeat-server.conf'
	install -D -m 644 packaging/logrotate/heartbeat-server '$(DESTDIR)/etc/logrotate.d/heartbeat-server'
	install -D -m 644 packaging/firewalld/heartbeat-server.xml '$(DESTDIR)$(FIREWALLDDIR)/heartbeat-server.xml'
	install -D -m 644 packaging/ufw/heartbeat-server '$(DESTDIR)$(UFWDIR)/heartbeat-server'
	@echo 'Next: systemd-sysusers $(SYSUSERSDIR)/heartbeat-server.conf $(SYSUSERSDIR)/heartbeat-client.conf && systemctl daemon-reload &&' \
	  'systemctl enable --now $(if $(filter /usr /usr/local,$(PREFIX)),heartbeat-server,$(UNITDIR)/heartbeat-server.service)'
endif

uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/sbin/heartbeat-server' '$(DESTDIR)$(PREFIX)/bin/heartbeat' \
	  '$(DESTDIR)$(PREFIX)/share/man/man1/heartbeat.1' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/heartbeat' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_heartbeat' \
	  '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/heartbeat.fish' \
	  '$(DESTDIR)$(UNITDIR)/heartbeat-client.service' '$(DESTDIR)$(SYSUSERSDIR)/heartbeat-client.conf' \
	  '$(DESTDIR)$(PREFIX)/share/man/man8/heartbeat-server.8' \
	  '$(DESTDIR)$(PREFIX)/share/man/man5/heartbeat-server.toml.5' \
	  '$(DESTDIR)$(PREFIX)/share/man/zh_CN/man1/heartbeat.1' \
	  '$(DESTDIR)$(PREFIX)/share/man/zh_CN/man8/heartbeat-server.8' \
	  '$(DESTDIR)$(PREFIX)/share/man/zh_CN/man5/heartbeat-server.toml.5' \
	  '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/heartbeat-server' \
	  '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_heartbeat-server' \
	  '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/heartbeat-server.fish' \
	  '$(DESTDIR)$(UNITDIR)/heartbeat-server.service' '$(DESTDIR)$(UNITDIR)/heartbeat-server.socket' \
	  '$(DESTDIR)$(UNITDIR)/heartbeat-server-tcp.socket' '$(DESTDIR)$(PREFIX)/share/heartbeat-server/lockdown.conf' \
	  '$(DESTDIR)$(SYSUSERSDIR)/heartbeat-server.conf' '$(DESTDIR)/etc/logrotate.d/heartbeat-server' \
	  '$(DESTDIR)$(FIREWALLDDIR)/heartbeat-server.xml' '$(DESTDIR)$(UFWDIR)/heartbeat-server'
	test ! -d '$(DESTDIR)$(PREFIX)/share/heartbeat-server' || rmdir '$(DESTDIR)$(PREFIX)/share/heartbeat-server'
	@echo 'Kept: /etc/heartbeat-server, /etc/heartbeat-client, /var/lib/heartbeat-server, /var/log/heartbeat-server'

clean:
	rm -rf $(TARGET) target
