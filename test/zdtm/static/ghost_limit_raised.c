#define LIMIT_RAISED
#include "ghost_limit.c"
