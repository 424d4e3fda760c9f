/* The statistics file and --display-stats, of a dump and of a restore. */
#ifndef CRIU_IMAGE_STATS_H
#define CRIU_IMAGE_STATS_H

#include "images/stats.pb-c.h"
#include "options.h"

/** stats_now_us - monotonic clock, microseconds. */
uint64_t stats_now_us(void);

/** stats_write - stats-dump or stats-restore into the work directory; printed too if asked for. */
int must_check stats_write(int work_fd, const StatsEntry *stats, const struct options *options);

#endif
