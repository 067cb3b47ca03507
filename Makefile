# SPDX-License-Identifier: Apache-2.0
#
#   make            build the programs into build/
#   make demo       set up everything that is missing and show the main job
#   make check      set up everything that is missing and run every test
#   make help       the other targets

BUILD  ?= build
PREFIX ?= /usr
CC     ?= cc
V      ?= 0

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wvla \
          -Wformat=2 -Wswitch-enum -Wundef -Wpointer-arith -Wwrite-strings
# clang looks into protobuf-c's initialisers although they are a system header's
ifneq ($(findstring clang,$(CC)),)
WARN += -Wno-cast-qual
endif
WERROR ?= -Werror
OPT    ?= -O2 -g
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -fno-plt
SAN    ?=
ifneq ($(SAN),)
HARDEN := -fPIE
OPT    := -O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
endif

PKGS      := libevent_core libevent_extra libevent_openssl openssl libpq libprotobuf-c \
             yaml-0.1 jansson libisal libsystemd glib-2.0 nettle libcurl
PKG_FLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))
PKG_LIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lcsv
# what gatehousectl alone needs: door labels
PKGS_ctl      := libqrencode pangocairo cairo-pdf cairo-svg
PKG_FLAGS_ctl := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS_ctl) 2>/dev/null))
PKG_LIBS_ctl  := $(shell pkg-config --libs $(PKGS_ctl) 2>/dev/null)

CPPFLAGS_ALL := -D_GNU_SOURCE -Iinclude -isystem $(BUILD)/gen $(PKG_FLAGS) $(CPPFLAGS)
CFLAGS_ALL   := -std=c11 $(OPT) $(WARN) $(WERROR) $(HARDEN) -pthread $(CFLAGS)
LDFLAGS_ALL  := -pie -pthread -Wl,--as-needed -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)

ifeq ($(V),0)
Q = @
say = @printf '  %-6s %s\n' '$(1)' '$(2)'
else
say = @:
endif

# The rooms, each using only those before it.  Programs take the rooms they need.
ROOMS    := base wire journal register fleet desk store daemon
PROGRAMS := gatehoused gatehousectl gatehouse-sim gatehouse-web
ROOMS_gatehoused    := daemon store desk fleet register journal wire base
ROOMS_gatehousectl  := ctl store register journal wire base
ROOMS_gatehouse-sim := sim wire base
ROOMS_gatehouse-web := web wire base
# gatehousectl reads the configuration files of both servers
EXTRA_gatehousectl  := $(BUILD)/src/daemon/settings.o $(BUILD)/src/web/settings.o
LIBS_gatehousectl   := $(PKG_LIBS_ctl)
$(BUILD)/src/ctl/label.o: CPPFLAGS_ALL += $(PKG_FLAGS_ctl)

sources = $(wildcard src/$(1)/*.c)
objects = $(patsubst %.c,$(BUILD)/%.o,$(call sources,$(1)))

.PHONY: all
all: $(PROGRAMS:%=$(BUILD)/%)

# ---- generated: the contract's C, and the migrations as data ----------------

PB_C := $(BUILD)/gen/gatehouse.pb-c.c
PB_O := $(BUILD)/gen/gatehouse.pb-c.o

$(PB_C) $(BUILD)/gen/gatehouse.pb-c.h &: proto/gatehouse.proto
	$(call say,PROTO,$<)
	@mkdir -p $(BUILD)/gen
	$(Q)protoc --c_out=$(BUILD)/gen -Iproto $<
	@# its macros cast const away, and clang says so wherever one is used
	@sed -i 's/(char \*)protobuf_c_/(char *)(uintptr_t)protobuf_c_/g' $(BUILD)/gen/gatehouse.pb-c.h

$(PB_O): $(PB_C)
	$(Q)$(CC) $(CPPFLAGS_ALL) -std=c11 $(OPT) $(HARDEN) -pthread -w -c -o $@ $<

# ---- compiling ---------------------------------------------------------------

# the contract is a system header to the compiler, which lists those not
$(BUILD)/%.o: %.c $(BUILD)/gen/gatehouse.pb-c.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# One archive per room, so that a test links the rooms it is about, and a fake
# object named before an archive takes the place of the archive's own.
define room_archive
$(BUILD)/lib$(1).a: $(call objects,$(1)) $(if $(filter wire,$(1)),$(PB_O)) $(if $(filter store,$(1)),$(BUILD)/gen/migrations.o)
	$$(call say,AR,lib$(1).a)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach room,$(ROOMS) ctl sim web,$(eval $(call room_archive,$(room))))

# The migrations, so that an installed gatehousectl needs no files beside it:
# a table of {name, text} made by the assembler's .incbin.
SQL := $(sort $(wildcard sql/[0-9]*.sql))
$(BUILD)/gen/migrations.S: $(SQL) Makefile
	@mkdir -p $(@D)
	$(Q){ \
	  n=0; for f in $(SQL); do \
	    printf '\t.section .rodata\nname_%s:\t.asciz "%s"\ntext_%s:\t.incbin "%s"\n\t.byte 0\n' $$n "$${f##*/}" $$n "$$f"; \
	    n=$$((n+1)); done; \
	  printf '\t.section .data.rel.ro,"aw"\n\t.balign 8\n\t.globl migrations\nmigrations:\n'; \
	  n=0; for f in $(SQL); do printf '\t.quad name_%s, text_%s\n' $$n $$n; n=$$((n+1)); done; \
	  printf '\t.quad 0, 0\n\t.section .note.GNU-stack,"",%%progbits\n'; } > $@
$(BUILD)/gen/migrations.o: $(BUILD)/gen/migrations.S
	$(Q)$(CC) -c -o $@ $<

define program
$(BUILD)/$(1): $$(ROOMS_$(1):%=$(BUILD)/lib%.a) $$(EXTRA_$(1))
	$$(call say,LINK,$(1))
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(if $$(filter-out sim,$$(firstword $$(ROOMS_$(1)))),) \
	  -Wl,--whole-archive $(BUILD)/lib$$(firstword $$(ROOMS_$(1))).a -Wl,--no-whole-archive \
	  $$(EXTRA_$(1)) $$(patsubst %,$(BUILD)/lib%.a,$$(wordlist 2,99,$$(ROOMS_$(1)))) $$(PKG_LIBS) $$(LIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# ---- unit tests: tests/unit/ROOM/test_*.c, linked with ROOM and those above ---

UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
room_of   = $(word 1,$(subst /, ,$(1)))
# a program's room has a chain of its own
CHAIN_sim := $(ROOMS_gatehouse-sim)
CHAIN_web := $(ROOMS_gatehouse-web)
CHAIN_ctl := $(ROOMS_gatehousectl)
EXTRA_ctl := $(EXTRA_gatehousectl)
LIBS_ctl  := $(LIBS_gatehousectl)
above     = $(if $(filter $(1),$(firstword $(2))),$(1) $(3),$(call above,$(1),$(wordlist 2,99,$(2)),$(firstword $(2)) $(3)))
chain     = $(or $(CHAIN_$(1)),$(call above,$(1),$(ROOMS),))

# Fakes that a test puts in the place of the real thing: FAKES_ROOM/TEST := fs clock
-include tests/unit/fakes.mk

define unit_test
$(BUILD)/unit/$(1): $(BUILD)/tests/unit/$(1).o $$(patsubst %,$(BUILD)/tests/fake/%.o,$$(FAKES_$(1))) \
    $$(EXTRA_$(call room_of,$(1))) \
    $$(patsubst %,$(BUILD)/lib%.a,$(call chain,$(call room_of,$(1))))
	$$(call say,LINK,unit/$(1))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(PKG_LIBS) $$(LIBS_$(call room_of,$(1))) -lcmocka
endef
$(foreach t,$(patsubst tests/unit/%.c,%,$(UNIT_SRC)),$(eval $(call unit_test,$(t))))

.PHONY: unit
unit: $(UNIT)

# Each header alone: it includes what it needs, and is used by nobody's luck.
HEADERS := $(wildcard include/*/*.h)
.PHONY: headers
headers: $(HEADERS:%=$(BUILD)/%.alone)
$(BUILD)/include/%.h.alone: include/%.h $(BUILD)/gen/gatehouse.pb-c.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fsyntax-only -x c $<
	@touch $@

# ---- fuzzers: tests/fuzz/fuzz_NAME.c, instrumented in a build folder of their own --

FUZZERS      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ         ?= $(FUZZERS)
FUZZ_SECONDS ?= 60
FUZZ_BUILD   := $(BUILD)-fuzz
ROOMS_fuzz   := desk fleet register journal wire base
FAKES_fuzz/journal := $(FAKE_FS)
# whole conversations: the target plays the socket, the clock and the loops
FAKES_fuzz/session := $(FAKE_FS) stream card clock loop
FAKES_fuzz/console_session := stream clock loop

define fuzzer
$(BUILD)/fuzz/$(1): $(BUILD)/tests/fuzz/fuzz_$(1).o $$(patsubst %,$(BUILD)/tests/fake/%.o,$$(FAKES_fuzz/$(1))) \
    $$(ROOMS_fuzz:%=$(BUILD)/lib%.a)
	$$(call say,LINK,fuzz/$(1))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS_ALL) -fsanitize=fuzzer -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

.PHONY: fuzz
fuzz:
	@tests/setup.sh build fuzz
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang-14 WERROR= \
	  SAN=fuzzer-no-link,address,undefined $(FUZZ:%=$(FUZZ_BUILD)/fuzz/%)
	@tests/fuzz/run.sh $(FUZZ_BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ)

# ---- instructions of a record's way, held against committed figures ----------------

$(BUILD)/guard/hot_path: $(patsubst %,$(BUILD)/tests/guard/%.o,hot_path appender) $(patsubst %,$(BUILD)/lib%.a,store journal wire base)
	$(call say,LINK,guard/hot_path)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# RENEW=1: what is counted now is the figure from now on
.PHONY: guard
guard:
	@tests/setup.sh build lint
	@$(MAKE) --no-print-directory BUILD=$(BUILD) $(BUILD)/guard/hot_path
	@BUILD=$(BUILD) tests/guard/guard.sh $(if $(RENEW),renew,check)

# ---- floors, load and what else `make bench` measures with: tests/bench/NAME.c -----

BENCH_PROGRAMS := tls_floor copy_floor sync_floor load fill_journal rights pages
ROOMS_bench/tls_floor    := wire base
ROOMS_bench/copy_floor   := base
ROOMS_bench/sync_floor   := base
ROOMS_bench/load         := sim wire base
ROOMS_bench/fill_journal := journal wire base
ROOMS_bench/rights       := register wire base
ROOMS_bench/pages        := sim wire base
OBJS_bench/load          := $(BUILD)/tests/bench/load_client.o
OBJS_bench/pages         := $(BUILD)/tests/bench/page_client.o

define bench_program
$(BUILD)/bench/$(1): $(BUILD)/tests/bench/$(1).o $$(OBJS_bench/$(1)) \
    $$(ROOMS_bench/$(1):%=$(BUILD)/lib%.a)
	$$(call say,LINK,bench/$(1))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(BENCH_PROGRAMS),$(eval $(call bench_program,$(p))))

# Preloaded into the daemon.
$(BUILD)/bench/malloc_count.so: tests/bench/malloc_count.c
	$(call say,LINK,bench/malloc_count.so)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fPIC -shared -o $@ $<

.PHONY: bench-programs
bench-programs: $(BENCH_PROGRAMS:%=$(BUILD)/bench/%) $(BUILD)/bench/malloc_count.so

# ---- the daemon with crash points: a test has it die between any two steps -------

.PHONY: crash
crash:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/crash \
	  CPPFLAGS='$(CPPFLAGS) -DGATEHOUSE_CRASH_POINTS' $(BUILD)/crash/gatehoused

# ---- the two commands, and what else is done with the whole -------------------

.PHONY: demo check torture bench lint
demo:
	@tests/setup.sh build test
	@$(MAKE) --no-print-directory BUILD=$(BUILD) all
	@/usr/bin/python3 -B tests/demo.py --build $(BUILD) $(if $(KEEP),--keep)

check:
	@BUILD=$(BUILD) tests/check.sh

# SEEDS: how many power cuts of the simulated disk
torture:
	@BUILD=$(BUILD) tests/torture.sh $(SEEDS)

# QUICK=1: two minutes; BENCH="windows drain": only these; JSON=1: as JSON
bench:
	@tests/setup.sh build test bench >&2
	@$(MAKE) --no-print-directory BUILD=$(BUILD) all bench-programs >&2
	@PYTHONPATH=tests /usr/bin/python3 -B -m bench --build $(BUILD) $(if $(QUICK),--quick) \
	  $(if $(JSON),--json) $(BENCH)

lint:
	@BUILD=$(BUILD) tests/lint.sh

# the system tests under ASan and UBSan, then under TSan; SANITIZED=thread: one of them
.PHONY: check-sanitized
check-sanitized:
	@BUILD=$(BUILD) tests/sanitized.sh $(SANITIZED)

# what gatehouse-web serves: files as they are, nothing is built
PAGES := $(wildcard web/*.* web/*/*.*)

.PHONY: install
install: all
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin share/man/man1 share/man/man5 share/man/man8 \
	  share/gatehouse lib/systemd/system lib/sysusers.d lib/tmpfiles.d)
	install -m 755 $(PROGRAMS:%=$(BUILD)/%) $(DESTDIR)$(PREFIX)/bin/
	$(foreach n,1 5 8,install -m 644 $(wildcard man/*.$(n)) $(DESTDIR)$(PREFIX)/share/man/man$(n)/ &&) :
	install -m 644 proto/gatehouse.proto conf/gatehoused.yaml conf/gatehouse-web.yaml conf/site-example.yaml $(DESTDIR)$(PREFIX)/share/gatehouse/
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/gatehouse/,$(sort $(dir $(PAGES))))
	$(foreach page,$(PAGES),install -m 644 $(page) $(DESTDIR)$(PREFIX)/share/gatehouse/$(page) &&) :
	install -m 644 systemd/gatehoused.service systemd/gatehouse-web.service $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -m 644 systemd/gatehouse.sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/gatehouse.conf
	install -m 644 systemd/gatehouse.tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/gatehouse.conf

.PHONY: help
help:
	@echo 'make                build the programs into $(BUILD)/'
	@echo 'make demo           set up what is missing, and show the main job; KEEP=1: leave it running'
	@echo 'make check          set up what is missing, and run every test'
	@echo 'make unit           build the unit tests into $(BUILD)/unit/'
	@echo 'make bench          the floors and Gatehouse side by side; QUICK=1: in two minutes'
	@echo 'make guard          instructions of a record by step, against the committed; RENEW=1'
	@echo 'make torture        what takes hours: SEEDS=200000 power cuts, crashes by pairs'
	@echo 'make crash          the daemon with crash points, for tests'
	@echo 'make fuzz           each fuzzer for FUZZ_SECONDS (60); FUZZ=frame: one of them'
	@echo 'make lint           compilers, clang-format, cppcheck, unit tests under ASan and UBSan'
	@echo 'make check-sanitized  the system tests under ASan and UBSan, and under TSan'
	@echo 'make install        into $(PREFIX); DESTDIR and PREFIX as usual'
	@echo 'make clean          remove $(BUILD)/'
	@echo 'Variables: BUILD=folder CC=compiler SAN=address,undefined V=1'

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
