#ifndef CRIU_KERNEL_MEMINFO_H
#define CRIU_KERNEL_MEMINFO_H

#include <stdint.h>

/** meminfo_bytes - the value of a line of /proc/meminfo ("Dirty"); 0 if there is none. proc_meminfo(5). */
uint64_t meminfo_bytes(const char *name);

#endif
