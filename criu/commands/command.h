/*
 * Commands: options and what the kernel can do in, result out. Descriptor 0 to
 * 2 are open, the current directory is the work directory, and the log is open.
 *
 * Return: 0; negative errno (logged): exit status 1; a positive number is the
 * exit status itself.
 */
#ifndef CRIU_COMMANDS_COMMAND_H
#define CRIU_COMMANDS_COMMAND_H

#include "kernel/features.h"
#include "options.h"

int must_check command_dump(const struct options *options, const struct kernel_features *features);
int must_check command_restore(const struct options *options, const struct kernel_features *features);
int must_check command_inspect(const struct options *options, const struct kernel_features *features);
int must_check command_convert(const struct options *options, const struct kernel_features *features);
int must_check command_check(const struct options *options, const struct kernel_features *features);

#endif
