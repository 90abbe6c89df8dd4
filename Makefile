# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# The one front door; `make help` lists it. Nothing is written outside build/ and the user's cache folder.
# The version of everything is the one in module/dkms.conf.

VERSION	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' module/dkms.conf)
PREFIX	?= /usr/local
LIBDIR	?= $(PREFIX)/lib
BASHDIR	?= $(PREFIX)/share/bash-completion/completions
ZSHDIR	?= $(PREFIX)/share/zsh/site-functions
FISHDIR	?= $(PREFIX)/share/fish/vendor_completions.d
DESTDIR	?=
KDIR	?=
SUITE	?=
WITH	?=
TREE	?=
INSTALL	?= install
export PREFIX LIBDIR DESTDIR

need	:= tests/vm/need

all: tools utils $(if $(KDIR),module)	## build abusectl, and with KDIR=/lib/modules/.../build the module

help:					## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  make %-13s %s\n' "$$target" "$$text"; \
	done

demo:					## the whole story in a throwaway guest (SUITE=trixie)
	@tests/demo/demo $(or $(SUITE),trixie)

check:					## most tests, in guests of trixie, and a smoke test on three other suites (not the long ones that tests/check lists)
	@tests/check most

check-all:				## that, the long tests, README.md's session, dracut, other tools, arm64, maps and redirects on each suite, the packages' life on two more: hours
	@tests/check all

check-quick:				## unit tests, command line and lint: no guest, no root; under 3 minutes
	@tests/check quick

check-kernel: export CHECK_KERNEL_WITH := $(or $(WITH),kasan)
check-kernel: export CHECK_KERNEL_TREE := $(TREE)
check-kernel:				## all module tests on a kernel with KASAN, lockdep, kmemleak (built once; WITH=kcsan, TREE=kernel source)
	@tests/check kernel

check-field:				## what other tools say of a loop disk and of ours
	@tests/check field

fuzz:					## processes of three users against the module (RUNS=, SECONDS_EACH=, WITH=kasan|kcsan|none)
	@tests/campaign/run fuzz

fuzz-coverage:				## which of the module's basic blocks the fuzzer and the module's tests reach (ROOMS=), and seeds for the fuzzer
	@tests/campaign/run coverage

crash-campaign:				## databases on disks whose servers fail, and whose guest loses its power (RUNS=, KILLS=, CUTS=)
	@tests/campaign/run crash
	@tests/campaign/run history
	@tests/campaign/run pressure
	@tests/campaign/run pgbench
	@tests/campaign/run powercut

seeds:					## servers, kills and power cuts simulated from seeds (RUNS=, SEEDS=)
	@tests/campaign/run seeds

campaign-total:				## what the campaigns have done so far
	@tests/campaign/run total

bench:					## abuse against ublk, nbd, loop: instructions and I/Os; over an hour (BENCH_QUICK=1: 5 minutes); BENCH_SUITE=trixie-backports: on 7.3
	@tests/bench/run

bench-here:				## the same on this machine, its kernel and processors; needs the module, root, and nobody else's abuse, nbd or ublk disk
	@tests/bench/run --here

bench-compare:				## what changed between the last two runs of make bench
	@tests/bench/compare

check-build:				## build the module for every headers package of each suite with gcc and clang (FLAVOURS=REGEX of them)
	@tests/lint/check-build

lint:					## all static checks, of the packages too
	@LONG_LINT=1 tests/run lint

dist: debian/dist			## the upstream archive, the same bit by bit wherever it is made, in build/dist/
	@mkdir -p build/dist && debian/dist build/dist

deb: debian/build			## packages in build/deb/, or with SUITE=NAME for that suite in build/deb/NAME/
	@debian/build $(SUITE)

autopkgtest: debian/autopkgtest	## debian/tests and the standard DKMS test on the packages built (SUITE=trixie)
	@debian/autopkgtest $(or $(SUITE),trixie)

rpm: debian/dist			## rpms, their source and a repository of both in build/rpm/
	@rpm/build

debian/%:
	@echo "$@ is missing: the upstream archive has no debian/; use a checkout of git or the source package" >&2; exit 1

shell: SUITE := $(or $(SUITE),trixie)
shell: deb				## root shell in a guest of SUITE (trixie) with the packages installed
	@tests/vm/guest shell $(SUITE) --share . \
		--prepared "$$(tests/vm/guest prepare $(SUITE) build/deb/$(SUITE)/*.deb)"

site:					## README, manuals and benchmark as a small web site in build/site
	@$(need) mandoc:mandoc cmark-gfm:cmark-gfm
	@man/site/build build/site

format:					## clang-format the changed lines of C files
	@$(need) clang-format:clang-format git-clang-format:clang-format
	@git clang-format --extensions c,h -f || true

tools:
	@$(need) gcc:gcc pkg-config:pkg-config /usr/include/json-c/json.h:libjson-c-dev \
		/usr/include/libsmartcols/libsmartcols.h:libsmartcols-dev /usr/include/uuid/uuid.h:uuid-dev /usr/include/zlib.h:zlib1g-dev

utils:
	@$(MAKE) --no-print-directory -C utils all

# Kernel builds write beside their sources: build a copy.
module:
	@test -n "$(KDIR)" || { echo "make module: KDIR= names no kernel to build for" >&2; exit 2; }
	@mkdir -p build/module
	@cp -a module/. build/module
	@$(MAKE) --no-print-directory -C "$(KDIR)" M="$(CURDIR)/build/module" modules

source	:= $(DESTDIR)$(PREFIX)/src/abuse-$(VERSION)

install: install-utils install-python install-module	## install all, the module's source too (DESTDIR, PREFIX, LIBDIR, PYTHONDIR, ZSHDIR, FISHDIR)

install-utils: utils
	@$(MAKE) --no-print-directory -C utils install
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man3" man/*.3
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man4" man/*.4
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man5" man/*.5
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man7" man/*.7
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man8" man/*.8
	$(INSTALL) -D -m 644 completions/abusectl.bash "$(DESTDIR)$(BASHDIR)/abusectl"
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(ZSHDIR)" completions/_abusectl
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(FISHDIR)" completions/abusectl.fish
	$(INSTALL) -D -m 644 -t "$(DESTDIR)$(PREFIX)/lib/udev/rules.d" udev/60-abuse.rules
	$(INSTALL) -D -m 644 udev/abuse.sysusers "$(DESTDIR)$(PREFIX)/lib/sysusers.d/abuse.conf"
	case "$(DESTDIR)$(LIBDIR)" in /usr/*) [ "$$(id -u)" != 0 ] || ldconfig ;; esac

# Initial ramdisks with which a root file system on a disk of abuse boots. Their tools look below /usr alone.
install-initramfs-tools: install-root-server
	$(INSTALL) -D -m 755 utils/initramfs/hook "$(DESTDIR)$(PREFIX)/share/initramfs-tools/hooks/abuse"
	$(INSTALL) -D -m 755 utils/initramfs/script "$(DESTDIR)$(PREFIX)/share/initramfs-tools/scripts/local-top/abuse"
	$(INSTALL) -D -m 755 utils/initramfs/script "$(DESTDIR)$(PREFIX)/share/initramfs-tools/scripts/local-block/abuse"

install-dracut: install-root-server
	$(INSTALL) -D -m 755 -t "$(DESTDIR)$(PREFIX)/lib/dracut/modules.d/90abuse" utils/initramfs/dracut/*.sh

install-root-server:
	$(INSTALL) -D -m 755 -t "$(DESTDIR)$(PREFIX)/lib/abuse" utils/initramfs/root-server

install-python:
	@$(MAKE) --no-print-directory -C utils install-python

install-module:
	$(INSTALL) -D -m 644 udev/abuse.modules-load "$(DESTDIR)$(PREFIX)/lib/modules-load.d/abuse.conf"
	mkdir -p "$(source)"
	cp -R module/. "$(source)"

clean:					## remove build/
	@$(MAKE) --no-print-directory -C utils clean
	rm -rf build

.PHONY: all help dist demo bench bench-here bench-compare check check-field check-all check-quick check-kernel check-build fuzz fuzz-coverage crash-campaign seeds campaign-total lint deb rpm autopkgtest shell site format tools utils module install install-utils install-initramfs-tools install-dracut install-root-server install-python install-module clean
