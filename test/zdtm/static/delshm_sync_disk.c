#define DELSHM_ON_DISK
#include "delshm_sync.c"
