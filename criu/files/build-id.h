/* The GNU build id of an ELF file: tells two builds of one size apart. */
#ifndef CRIU_FILES_BUILD_ID_H
#define CRIU_FILES_BUILD_ID_H

#include "util/mem.h"

#define BUILD_ID_MAX_BYTES 64

struct build_id {
	size_t n_words;				/* 0: the file has none */
	uint32_t words[BUILD_ID_MAX_BYTES / 4]; /* the bytes of the note, zero-padded, as images keep them */
};

/** build_id_parse_notes - find the id in the bytes of a PT_NOTE segment; @ret->n_words is 0 if there is none. */
void build_id_parse_notes(const void *notes, size_t bytes, struct build_id *ret);

/** build_id_read - of the file behind @fd (readable; its position is not used); not ELF: n_words 0. */
void build_id_read(int fd, struct build_id *ret);

#endif
