#define DELSHM_ON_DISK
#include "delshm_deadwriter.c"
