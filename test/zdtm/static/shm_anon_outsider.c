#define OUTSIDER_ANON
#include "delshm_outsider.c"
