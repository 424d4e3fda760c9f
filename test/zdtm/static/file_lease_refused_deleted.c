#define LEASE_DELETED
#include "file_lease_refused.c"
