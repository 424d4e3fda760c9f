/*
 * Action scripts: programs of the user that run at stages of dump and restore.
 */
#ifndef CRIU_ACTION_SCRIPT_H
#define CRIU_ACTION_SCRIPT_H

#include "options.h"

/**
 * action_scripts_run - run all scripts, the last given first, and wait for them
 * @options:       names the scripts; relative ones are found in the work directory
 * @stage:         CRTOOLS_SCRIPT_ACTION for them
 * @images_dir_fd: borrowed; -1 leaves CRTOOLS_IMAGE_DIR unset
 * @root_pid:      of the root task as criu sees it; 0 leaves CRTOOLS_INIT_PID unset
 *
 * A script runs in the work directory with no arguments, stdin closed, stdout
 * and stderr in the log and no other descriptor. All of them run even if one
 * fails. Must not be called while another wait for any child is under way.
 *
 * Return: 0; -ECANCELED if any failed (each logged). What that means depends on
 * the stage and is for the caller to decide.
 */
int must_check action_scripts_run(const struct options *options, const char *stage, int images_dir_fd, pid_t root_pid);

#endif
