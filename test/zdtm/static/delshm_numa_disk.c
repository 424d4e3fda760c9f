#define DELSHM_ON_DISK
#include "delshm_numa.c"
