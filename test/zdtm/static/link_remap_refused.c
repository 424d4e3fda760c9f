#define LINK_REMAP_REFUSED
#include "link10.c"
