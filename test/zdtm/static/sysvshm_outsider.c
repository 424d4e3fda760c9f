#define OUTSIDER_SYSV
#include "delshm_outsider.c"
