/* The part of features_probe() that needs a child to trace. */
#ifndef CRIU_KERNEL_FEATURES_PTRACE_H
#define CRIU_KERNEL_FEATURES_PTRACE_H

#include "kernel/features.h"

/** features_probe_ptrace - fill in what only ptrace(2) tells. */
void features_probe_ptrace(struct kernel_features *ret);

#endif
