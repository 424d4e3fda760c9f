#include <stdio.h>

#include "image/image-table.h"

const struct image_type image_types[IMAGE_KINDS] = {
	[IMAGE_INVENTORY] = { "inventory", 0x58313116, FRAMING_BARE, KEY_NONE },
	[IMAGE_PSTREE] = { "pstree", 0x50273030, FRAMING_COMMON, KEY_NONE },
	[IMAGE_CORE] = { "core", 0x55053847, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_IDS] = { "ids", 0x54432030, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_MM] = { "mm", 0x57492820, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_FS] = { "fs", 0x51403912, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_FDINFO] = { "fdinfo", 0x56213732, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_FILES] = { "files", 0x56303138, FRAMING_COMMON, KEY_NONE },
	[IMAGE_REMAP_FPATH] = { "remap-fpath", 0x59133954, FRAMING_COMMON, KEY_NONE },
	[IMAGE_GHOST_FILE] = { "ghost-file", 0x52583605, FRAMING_COMMON, KEY_HEX },
	[IMAGE_SHMEM_FILE] = { "shmem-file", 0x53484d46, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_EXTERNAL_OBJECT] = { "external-objects", 0x45584f42, FRAMING_COMMON, KEY_NONE },
	[IMAGE_CARRIED_FILE] = { "carried-files", 0x43524644, FRAMING_COMMON, KEY_NONE },
	[IMAGE_CARRIED_DIR] = { "carried-dirs", 0x43524452, FRAMING_COMMON, KEY_NONE },
	[IMAGE_MEMFD] = { "memfd", 0x48453499, FRAMING_COMMON, KEY_NONE },
	[IMAGE_SYSV_SHM] = { "sysv-shm", 0x53565348, FRAMING_COMMON, KEY_NONE },
	[IMAGE_SYSV_SEM] = { "sysv-sem", 0x53565345, FRAMING_COMMON, KEY_NONE },
	[IMAGE_SYSV_MSG] = { "sysv-msg", 0x53564d53, FRAMING_COMMON, KEY_NONE },
	[IMAGE_MQUEUE] = { "mqueue", 0x504d5155, FRAMING_COMMON, KEY_NONE },
	[IMAGE_MQUEUE_DATA] = { "mqueue-data", 0x504d5144, FRAMING_COMMON, KEY_NONE },
	[IMAGE_PIPES_DATA] = { "pipes-data", 0x56453709, FRAMING_COMMON, KEY_NONE },
	[IMAGE_FIFO_DATA] = { "fifo-data", 0x59333054, FRAMING_COMMON, KEY_NONE },
	[IMAGE_SK_QUEUES] = { "sk-queues", 0x56264026, FRAMING_COMMON, KEY_NONE },
	[IMAGE_TCP_STREAM] = { "tcp-stream", 0x51465506, FRAMING_COMMON, KEY_HEX },
	[IMAGE_TTY_INFO] = { "tty-info", 0x59453036, FRAMING_COMMON, KEY_NONE },
	[IMAGE_TTY_DATA] = { "tty-data", 0x59413026, FRAMING_COMMON, KEY_NONE },
	[IMAGE_FILE_LOCKS] = { "filelocks", 0x54323616, FRAMING_COMMON, KEY_NONE },
	[IMAGE_SECCOMP] = { "seccomp", 0x64413049, FRAMING_COMMON, KEY_NONE },
	[IMAGE_PAGEMAP] = { "pagemap", 0x56084025, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_PAGEMAP_SHMEM] = { "pagemap-shmem", 0x56084025, FRAMING_COMMON, KEY_DECIMAL },
	[IMAGE_PAGES] = { "pages", 0, FRAMING_RAW, KEY_DECIMAL },
	[IMAGE_STATS] = { "stats", 0x57093306, FRAMING_SERVICE, KEY_WORD },
};

void image_file_name(enum image_kind kind, uint64_t id, char ret[IMAGE_NAME_BYTES])
{
	const struct image_type *type = &image_types[kind];

	switch (type->key) {
	case KEY_NONE:
		snprintf(ret, IMAGE_NAME_BYTES, "%s.img", type->name);
		break;
	case KEY_DECIMAL:
		snprintf(ret, IMAGE_NAME_BYTES, "%s-%llu.img", type->name, (unsigned long long)id);
		break;
	case KEY_HEX:
		snprintf(ret, IMAGE_NAME_BYTES, "%s-%llx.img", type->name, (unsigned long long)id);
		break;
	case KEY_WORD:
		snprintf(ret, IMAGE_NAME_BYTES, "%s-%s", type->name, id ? "restore" : "dump");
		break;
	}
}

size_t image_type_header(const struct image_type *type, uint32_t ret[2])
{
	switch (type->framing) {
	case FRAMING_COMMON:
		ret[0] = IMAGE_MAGIC_COMMON;
		ret[1] = type->magic;
		return 2;
	case FRAMING_SERVICE:
		ret[0] = IMAGE_MAGIC_SERVICE;
		ret[1] = type->magic;
		return 2;
	case FRAMING_BARE:
		ret[0] = type->magic;
		return 1;
	case FRAMING_RAW:
		break;
	}
	return 0;
}
