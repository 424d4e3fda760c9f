#define OUTSIDER_ON_DISK
#include "delshm_outsider.c"
