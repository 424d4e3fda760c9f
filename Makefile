# criu: checkpoint and restore of process trees. `make help` lists the targets.

VERSION		:= 0.1.0
PREFIX		?= /usr/local
SBINDIR		?= $(PREFIX)/sbin
MANDIR		?= $(PREFIX)/share/man
CC		?= gcc
ARCH		:= $(shell uname -m)
O		:= build$(if $(SANITIZE),-sanitize)

PKGS		:= libprotobuf-c
WARNINGS	:= -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes -Wvla
CFLAGS		?= -O2 -g
CPPFLAGS	+= -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCRIU_OWN_VERSION='"$(VERSION)"' \
		   -Icriu -Icriu/arch/$(ARCH) -I$(O) $(shell pkg-config --cflags $(PKGS))
LDLIBS		+= $(shell pkg-config --libs $(PKGS)) -pthread
SAN_FLAGS	:= -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
ifdef SANITIZE
CFLAGS		+= $(SAN_FLAGS)
LDFLAGS		+= $(SAN_FLAGS)
endif

SRC		:= $(filter-out %_test.c,$(shell find criu -name '*.c' -not -path 'criu/arch/*') \
		   $(shell find criu/arch/$(ARCH) -name '*.[cS]'))
TEST_SRC	:= $(shell find criu -name '*_test.c')
PROTO		:= $(wildcard images/*.proto)
PROTO_C		:= $(PROTO:%.proto=$(O)/%.pb-c.c)
PROTO_H		:= $(PROTO:%.proto=$(O)/%.pb-c.h)
OBJ		:= $(addprefix $(O)/,$(addsuffix .o,$(basename $(SRC)))) $(PROTO_C:.c=.o)
BIN		:= $(if $(SANITIZE),$(O)/criu-bin,criu/criu)

all: $(BIN)

help:
	@echo 'make                     build criu/criu'
	@echo 'make check               unit tests, under ASan and UBSan'
	@echo 'make zdtm [T=name]       regression tests (root); all of them without T'
	@echo 'make bench               speed, against floors measured in the same run (root)'
	@echo 'make lint                include direction between folders, header cycles, formatting'
	@echo 'make format              clang-format everything'
	@echo 'make SANITIZE=1          a binary with ASan and UBSan in build-sanitize/criu-bin'
	@echo 'make install DESTDIR= PREFIX=   install the program and its manual page'
	@echo 'make clean'

$(BIN): $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(O)/images/%.pb-c.c $(O)/images/%.pb-c.h: images/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=. --c_out=$(O) $<

$(O)/images/%.pb-c.o: $(O)/images/%.pb-c.c | $(PROTO_H)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/%.o: %.c | $(PROTO_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu11 $(WARNINGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(O)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests always run under the sanitizers: a build of their own.
check:
	@$(MAKE) --no-print-directory SANITIZE=1 unit

UNIT		:= $(TEST_SRC:%.c=$(O)/%)
UNIT_OBJ	:= $(filter-out $(O)/criu/main.o,$(OBJ))

$(O)/libunit.a: $(UNIT_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(UNIT): $(O)/%: $(O)/%.o $(O)/libunit.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(UNIT)
	@scripts/run-unit $(UNIT)

zdtm: all
	$(MAKE) -C test/zdtm
	/usr/bin/python3 test/zdtm.py run $(if $(T),-t $(T),-a) -f h --keep-going

bench: all
	/usr/bin/python3 test/bench/bench.py

lint:
	scripts/lint

format:
	@clang-format -i $(shell git ls-files -co --exclude-standard '*.c' '*.h')

install: all
	install -D -m 755 criu/criu $(DESTDIR)$(SBINDIR)/criu
	install -D -m 644 Documentation/criu.8 $(DESTDIR)$(MANDIR)/man8/criu.8

clean:
	rm -rf build build-sanitize criu/criu

-include $(shell find $(O) -name '*.d' 2>/dev/null)

.PHONY: all help check unit zdtm bench lint format install clean
.SECONDARY: $(PROTO_C) $(PROTO_H)
