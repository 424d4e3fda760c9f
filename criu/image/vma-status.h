/* vma_entry.status: what a mapping is. The numbers are the images'. */
#ifndef CRIU_IMAGE_VMA_STATUS_H
#define CRIU_IMAGE_VMA_STATUS_H

enum vma_status {
	VMA_AREA_REGULAR = 1 << 0,
	VMA_AREA_STACK = 1 << 1,
	VMA_AREA_VSYSCALL = 1 << 2,
	VMA_AREA_VDSO = 1 << 3,
	VMA_AREA_HEAP = 1 << 5,
	VMA_FILE_PRIVATE = 1 << 6,
	VMA_FILE_SHARED = 1 << 7,
	VMA_ANON_SHARED = 1 << 8,
	VMA_ANON_PRIVATE = 1 << 9,
	VMA_AREA_SYSVIPC = 1 << 10,
	VMA_AREA_SOCKET = 1 << 11,
	VMA_AREA_VVAR = 1 << 12,
	VMA_AREA_AIORING = 1 << 13,
	VMA_AREA_MEMFD = 1 << 14,
	VMA_AREA_SHSTK = 1 << 15,
	VMA_AREA_GUARD = 1 << 16,
	VMA_AREA_UPROBES = 1 << 17,
	VMA_LOCKED_ONFAULT = 1 << 26, /* ours: with MAP_LOCKED, mlock2(MLOCK_ONFAULT) */
	VMA_EXT_PLUGIN = 1 << 27,
};

/* Never in an image of ours. */
#define VMA_UNSUPP 0x80000000u

#endif
