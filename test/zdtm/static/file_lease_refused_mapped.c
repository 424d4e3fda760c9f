#define LEASE_MAPPED
#include "file_lease_refused.c"
