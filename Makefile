# Vedette. `make run` to try it, `make test` to prove it; CONTRIBUTING.md explains the rest.

BUILD  ?= build
CC     ?= gcc
CXX    ?= g++
DIRS   ?= base state model net decode store derive query judge receive tell server
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wwrite-strings \
          -Wno-missing-field-initializers $(if $(WERROR),-Werror)
HARDEN  = -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fPIE
OPT    ?= -O2 -g
CPPFLAGS += -Isrc -Itests -I$(BUILD) -D_GNU_SOURCE
CFLAGS  += -std=c17 $(OPT) $(WARN) $(HARDEN) $(SAN) -pthread
CXXFLAGS += -std=c++17 $(OPT) -Wall -Wextra $(HARDEN) $(SAN) -fno-exceptions -fno-rtti -pthread
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SAN) -pthread
LIBS     = -lmicrohttpd -lnghttp2 -lcurl -lgnutls -lzstd -llz4 -ldeflate -lz -lsnappy -lre2 -lyaml -lwslay -lsqlite3 -lresolv -lstdc++ -lm

SRC  := $(sort $(shell find $(addprefix src/,$(DIRS)) -name '*.c' 2>/dev/null))
SRCX := $(sort $(shell find $(addprefix src/,$(DIRS)) -name '*.cc' 2>/dev/null))
OBJ  := $(SRC:%.c=$(BUILD)/%.o) $(SRCX:%.cc=$(BUILD)/%.o)
LIBOBJ := $(filter-out $(BUILD)/src/server/main.o,$(OBJ))
UNIT := $(sort $(shell find $(addprefix tests/unit/,$(DIRS)) -name '*_test.c' 2>/dev/null))
UNITBIN := $(UNIT:%.c=$(BUILD)/%)

all: $(BUILD)/vedette

$(BUILD)/libvedette.a: $(LIBOBJ)
	@rm -f $@ && ar rcs $@ $^

$(BUILD)/vedette: $(BUILD)/src/server/main.o $(BUILD)/libvedette.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libvedette.a
	$(CXX) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# One folder's tests while working on it: make unit DIRS="base model store" BUILD=build/mine
unit: $(UNITBIN)
	@tools/run_unit.sh $(UNITBIN)

# ---- the web pages, embedded ----
WEB := $(shell find web -type f -not -path '*/node_modules/*' 2>/dev/null) web/package-lock.json
$(BUILD)/tools/embed: tools/embed.c
	@mkdir -p $(@D)
	$(CC) -std=c17 -O1 -Wall -Wextra -D_GNU_SOURCE -o $@ $< -ldeflate
$(BUILD)/web_assets.h: $(BUILD)/tools/embed $(WEB)
	$(BUILD)/tools/embed web > $@.tmp && mv $@.tmp $@
$(BUILD)/src/tell/page.o: $(BUILD)/web_assets.h

# ---- the list prices of models, embedded ----
$(BUILD)/prices.h: src/model/prices.yaml
	@mkdir -p $(@D)
	@{ echo 'const char price_builtin_yaml[] ='; sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; echo ';'; } > $@.tmp && mv $@.tmp $@
$(BUILD)/src/model/price_builtin.o: $(BUILD)/prices.h

# ---- the built-in rules, embedded by the assembler ----
$(BUILD)/src/judge/builtin.o: $(wildcard src/judge/builtin/*.yml)
$(BUILD)/src/tell/dashboards_builtin.o: $(wildcard deploy/grafana/dashboards/*.json deploy/grafana/provisioning/*/*.yml)
RUNBOOKS := $(sort $(wildcard docs/runbooks/[A-Z]*.md))
$(BUILD)/runbooks_pages.h: $(RUNBOOKS)
	@mkdir -p $(@D)
	@for f in $(RUNBOOKS); do echo "{ \"$$(basename $$f .md)\","; sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $$f; echo "},"; done > $@.tmp && mv $@.tmp $@
$(BUILD)/src/judge/runbooks.o: $(BUILD)/runbooks_pages.h

# ---- run, test, check ----
run:
	@tools/setup.sh build
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	$(BUILD)/vedette serve --data data --demo $(ARGS)

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory -s -j$$(nproc) all unit-programs fault-programs
	@tools/run_tests.sh $(BUILD) $(UNITBIN)

unit-programs: $(UNITBIN)

layers:
	@tools/layers.sh

SOURCES = $(shell git ls-files 'src/*.[ch]' 'src/*.cc' 'tests/*.[ch]' 'tools/*.c')
fmt:
	clang-format-14 -i $(SOURCES)
format:
	@clang-format-14 --dry-run -Werror $(SOURCES)

check: layers format
	@$(MAKE) --no-print-directory -s -j$$(nproc) BUILD=$(BUILD)/check-gcc WERROR=1 all unit-programs
	@$(MAKE) --no-print-directory -s -j$$(nproc) BUILD=$(BUILD)/check-clang CC=clang CXX=clang++ WERROR=1 OPT=-O1 all

# Unit tests under the sanitizers. TSan needs a build of its own.
san:
	@$(MAKE) --no-print-directory -s -j$$(nproc) BUILD=$(BUILD)/asan OPT="-O1 -g" \
	    SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" unit
	@$(MAKE) --no-print-directory -s -j$$(nproc) BUILD=$(BUILD)/tsan OPT="-O1 -g" SAN="-fsanitize=thread" unit

# Each tests/fuzz/NAME_fuzz.c, seeds in tests/fuzz/corpus/NAME, for FUZZ_SECONDS.
FUZZ_SECONDS ?= 60
FUZZ := $(sort $(wildcard tests/fuzz/*_fuzz.c))
FUZZFLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined
fuzz:
	@$(MAKE) --no-print-directory -s -j$$(nproc) BUILD=$(BUILD)/fuzz CC=clang CXX=clang++ OPT="-O1 -g" \
	    SAN="$(FUZZFLAGS) -fsanitize=fuzzer-no-link" fuzz-programs
	@tools/run_fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ)
fuzz-programs: $(FUZZ:tests/fuzz/%.c=$(BUILD)/fuzz_%)
$(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/%.o $(BUILD)/libvedette.a
	$(CXX) $(LDFLAGS) $(FUZZFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# Fault tests (docs/reliability.md): the share that `make test` runs, or with FAULT=release the whole.
FAULTBIN := $(patsubst tests/fault/%.c,$(BUILD)/fault/%,$(sort $(wildcard tests/fault/*.c)))
FAULTLIB := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/fault/common/*.c)))
FAULT ?= ci
$(BUILD)/fault/%: $(BUILD)/tests/fault/%.o $(FAULTLIB) $(BUILD)/libvedette.a
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS)
fault-programs: $(FAULTBIN)
fault: all fault-programs
	@/usr/bin/python3 tests/fault/fault_test.py $(BUILD) --$(FAULT)

# Benchmarks: programs in C and drivers in Python; each prints its own table.
BENCH := $(sort $(wildcard tests/bench/*_bench.c))
$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libvedette.a
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ $(LIBS)
bench-programs: all $(BUILD)/bench/rw_load $(BENCH:tests/bench/%.c=$(BUILD)/bench/%)
bench: bench-programs
	@tools/run_bench.sh $(BUILD)

-include $(OBJ:.o=.d) $(UNITBIN:=.d) $(FAULTLIB:.o=.d) $(FAULTBIN:$(BUILD)/fault/%=$(BUILD)/tests/fault/%.d)

clean:
	rm -rf $(BUILD)

# Which rows of the feature list have a test that names them.
features:
	@tools/features.sh

.PHONY: features all unit unit-programs fault fault-programs run test layers fmt format check san fuzz fuzz-programs bench bench-programs clean
.SECONDARY:
