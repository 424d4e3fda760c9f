#define POSIX_SEM_NAMED
#include "posix_sem.c"
