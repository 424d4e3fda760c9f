#define LOCK_POSIX
#include "file_locks_refused.c"
