# Vedette. `make run` to try it, `make test` to prove it; CONTRIBUTING.md explains the rest.

BUILD  ?= build
CC     ?= gcc
CXX    ?= g++
DIRS   ?= base model net decode store derive query receive tell server
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wwrite-strings \
          -Wno-missing-field-initializers $(if $(WERROR),-Werror)
HARDEN  = -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fPIE
OPT    ?= -O2 -g
CPPFLAGS += -Isrc -Itests -I$(BUILD) -D_GNU_SOURCE
CFLAGS  += -std=c17 $(OPT) $(WARN) $(HARDEN) $(SAN) -pthread
CXXFLAGS += -std=c++17 $(OPT) -Wall -Wextra $(HARDEN) $(SAN) -fno-exceptions -fno-rtti -pthread
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SAN) -pthread
LIBS     = -lmicrohttpd -lnghttp2 -lcurl -lgnutls -lzstd -llz4 -ldeflate -lz -lsnappy -lre2 -lyaml -lstdc++ -lm

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
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libvedette.a
	$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# One folder's tests while working on it: make unit DIRS="base model store" BUILD=build/mine
unit: $(UNITBIN)
	@tools/run_unit.sh $(UNITBIN)

-include $(OBJ:.o=.d) $(UNITBIN:=.d)

layers:
	@tools/layers.sh

clean:
	rm -rf build

.PHONY: all unit layers clean
.SECONDARY:
