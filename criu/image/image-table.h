/* What each kind of image file is called and how it begins. */
#ifndef CRIU_IMAGE_IMAGE_TABLE_H
#define CRIU_IMAGE_IMAGE_TABLE_H

#include "image/image.h"

#define IMAGE_MAGIC_COMMON  0x54564319u
#define IMAGE_MAGIC_SERVICE 0x55105940u
#define IMAGE_NAME_BYTES    48

enum image_framing {
	FRAMING_COMMON,	 /* common magic, kind magic, entries */
	FRAMING_SERVICE, /* service magic, kind magic, entries */
	FRAMING_BARE,	 /* kind magic, entries */
	FRAMING_RAW,	 /* no header, no entries */
};

enum image_key {
	KEY_NONE,    /* name.img */
	KEY_DECIMAL, /* name-17.img */
	KEY_HEX,     /* name-1f.img */
	KEY_WORD,    /* name-dump, name-restore */
};

struct image_type {
	const char *name;
	uint32_t magic;
	enum image_framing framing;
	enum image_key key;
};

extern const struct image_type image_types[IMAGE_KINDS];

/** image_file_name - name of the file of @kind that belongs to @id. */
void image_file_name(enum image_kind kind, uint64_t id, char ret[IMAGE_NAME_BYTES]);

/** image_type_header - bytes a file of @type begins with; @ret has room for two words. Returns how many are used. */
size_t image_type_header(const struct image_type *type, uint32_t ret[2]);

#endif
