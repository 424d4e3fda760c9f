#define DAX_DELETED
#include "dax_sync.c"
