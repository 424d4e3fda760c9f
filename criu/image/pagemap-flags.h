/* pagemap_entry.flags, as in the images. */
#ifndef CRIU_IMAGE_PAGEMAP_FLAGS_H
#define CRIU_IMAGE_PAGEMAP_FLAGS_H

enum pagemap_flag {
	PE_PARENT = 1 << 0,  /* content is in the parent image set */
	PE_LAZY = 1 << 1,    /* may be restored late; says nothing about where the content is */
	PE_PRESENT = 1 << 2, /* content is in the pages file */
};

#endif
