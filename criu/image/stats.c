#include <stdio.h>
#include <time.h>

#include "image/image-file.h"
#include "image/stats.h"
#include "util/log.h"

uint64_t stats_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

static void display_dump(const DumpStatsEntry *dump)
{
	printf("Displaying dump stats:\n");
	printf("Freezing time: %u us\n", dump->freezing_time);
	printf("Frozen time: %u us\n", dump->frozen_time);
	printf("Memory dump time: %u us\n", dump->memdump_time);
	printf("Memory write time: %u us\n", dump->memwrite_time);
	printf("Memory pages scanned: %lu\n", dump->pages_scanned);
	printf("Memory pages written: %lu\n", dump->pages_written);
	printf("Shared memory pages scanned: %lu\n", dump->shpages_scanned);
	printf("Shared memory pages written: %lu\n", dump->shpages_written);
}

static void display_restore(const RestoreStatsEntry *restore)
{
	printf("Displaying restore stats:\n");
	printf("Pages compared: %lu\n", restore->pages_compared);
	printf("Pages skipped COW: %lu\n", restore->pages_skipped_cow);
	printf("Pages restored: %lu\n", restore->pages_restored);
	printf("Restore time: %u us\n", restore->restore_time);
	printf("Forking time: %u us\n", restore->forking_time);
}

int stats_write(int work_fd, const StatsEntry *stats, const struct options *options)
{
	struct image_dir work = { .fd = work_fd, .path = "the work directory" };
	struct image_writer *writer;
	int err;

	err = image_create(&work, IMAGE_STATS, stats->dump ? 0 : 1, &writer);
	if (err)
		return err;
	err = image_write_entry(writer, &stats->base);
	if (!err)
		err = image_finish(writer);
	else
		image_abort(writer);
	image_unsynced_close(&work);
	VEC_FREE(&work.unsynced);

	if (!err && options->display_stats) {
		if (stats->dump)
			display_dump(stats->dump);
		else
			display_restore(stats->restore);
	}
	return err;
}
