#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/meminfo.h"
#include "util/mem.h"

uint64_t meminfo_bytes(const char *name)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	const size_t len = strlen(name);
	auto_free char *line = NULL;
	uint64_t bytes = 0;
	size_t cap = 0;

	while (meminfo && !bytes && getline(&line, &cap, meminfo) > 0)
		if (!strncmp(line, name, len) && line[len] == ':')
			bytes = strtoull(line + len + 1, NULL, 10) * 1024;
	if (meminfo)
		fclose(meminfo);
	return bytes;
}
