# SPDX-License-Identifier: GPL-2.0
#
# Checkpoint and restart for Linux 6.12: build, boot, test.
# This repository overlays a kernel source; see "make help".

export TOP := $(CURDIR)
B ?= build
override B := $(abspath $(B))
export B
ifneq ($(DEBUG),)
export KERNEL ?= $(B)/kernel-debug
else
export KERNEL ?= $(B)/kernel
endif
export T DEBUG KSRC FORCE CONFIG O STATIC ACCEL CPU CPUS MEM APPEND CMD SLOW
export LONG CLOCK

Q := tools/testing/selftests/checkpoint/qemu
DEMO := tools/testing/selftests/checkpoint/demo

.NOTPARALLEL:
.PHONY: help demo test kernel tools shell run kunit lint hooks hooks-check
.PHONY: clean distclean deps guest bench bench-smoke bench-compare

help:
	@echo 'make test		build everything, run all tests in a QEMU guest'
	@echo 'make test T=NAME	only the tests of that name (shell pattern)'
	@echo 'make test DEBUG=1	the same on a kernel with KASAN, lockdep, ...'
	@echo 'make test LONG=4	tests of programs take four times as much work'
	@echo 'make demo		checkpoint programs, reboot, restart them'
	@echo 'make kunit		only the KUnit tests'
	@echo 'make shell		a shell in the guest'
	@echo "make run CMD='...'	a command in the guest: its output, its status"
	@echo 'make kernel		only build the kernel'
	@echo 'make kernel CONFIG=FILE O=DIR'
	@echo '			build your configuration, plus CONFIG_CHECKPOINT'
	@echo 'make tools		only build the user tools (build/tools)'
	@echo 'make tools O=DIR	the same in DIR; STATIC=1: without shared libraries'
	@echo 'make lint		checkpatch, sparse, W=1, kernel-doc, shellcheck'
	@echo 'make hooks		write hooks/*.patch from the edits in build/src'
	@echo 'make hooks-check	are hooks and build/src in step, are hooks small,'
	@echo '			are all fields of structures accounted for?'
	@echo 'make bench		measure, beside criu (bench/README.md)'
	@echo 'make bench-smoke	does the benchmark work? No figures to quote'
	@echo 'make bench-compare A=DIR B=DIR'
	@echo '			two results of make bench'
	@echo 'make deps		install the Debian packages needed'
	@echo 'make clean		remove build products (not the unpacked source)'
	@echo 'make distclean		remove build/'
	@echo
	@echo 'KSRC=PATH		kernel source, directory or tarball, instead of'
	@echo '			/usr/src/linux-source-6.12.tar.xz'
	@echo 'ACCEL=kvm		let QEMU use KVM (default: tcg)'
	@echo 'B=DIR			build directory (default: build)'

deps:
	@$(Q)/deps.sh

guest: deps
	@$(Q)/build.sh guest

test: guest
	@$(Q)/test.sh

kunit: guest
	@$(Q)/test.sh kunit

demo: guest
	@$(DEMO)/demo.sh

shell: guest
	@$(Q)/run.sh shell

# The output of the command alone: that of the build goes elsewhere.
run: deps
	@$(Q)/build.sh guest >&2
	@$(Q)/run.sh run "$$CMD"

bench: deps
	@bench/bench.sh

bench-smoke: deps
	@bench/bench.sh smoke

bench-compare:
	@bench/report.py --compare "$(A)" "$(B)"

kernel: deps
	@$(Q)/build.sh kernel

tools: deps
	@$(Q)/build.sh tools

hooks: deps
	@$(Q)/source.sh
	@$(Q)/hooks.sh update

hooks-check: deps
	@$(Q)/source.sh
	@$(Q)/hooks.sh check
	@$(Q)/fields.sh

lint: deps
	@$(Q)/build.sh kernel
	@$(Q)/lint.sh

clean:
	rm -rf $(B)/kernel* $(B)/bench $(B)/headers $(B)/tools \
		$(B)/selftests $(B)/test* $(B)/fields $(B)/fields-* \
		$(B)/lint $(B)/root.* $(B)/hooks.* $(B)/run.* $(B)/demo $(B)/*.cpio \
		$(B)/*.log $(B)/*.new $(B)/programs.img*

distclean:
	rm -rf $(B)
