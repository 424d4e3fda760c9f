/* Processes: one in strict seccomp mode, two that share a deleted file and segments. */
#include "target.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Strict mode leaves nothing but read and write. */
static void strict_child(struct slot *slot)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		die("strict");
	for (uint64_t want = 0, got;; want++) {
		long ret;

		while ((ret = result(read(fed_strict[0], &got, sizeof(got)))) == -EINTR)
			slot->eintr++;
		if (!ret)
			syscall(SYS_exit, 0);
		expect(slot, "number from the pipe", got, want);
		slot->loops++;
	}
}

void run_strict(struct slot *slot, uint32_t arg)
{
	(void)arg;
	close(fed_strict[1]);
	strict_child(slot);
}

struct pair {
	_Atomic uint32_t turn;
	uint32_t pad;
	uint64_t data[16383];
};

static struct pair *pair;
static volatile uint32_t *segments[2]; /* System V: one goes with the pair, one stays */

void pair_child(struct slot *slot, uint32_t me)
{
	const size_t nr = sizeof(pair->data) / sizeof(pair->data[0]);
	struct timespec pause = ms(3);

	for (;;) {
		uint32_t turn = pair->turn;

		if (turn % 2 != me) {
			if (syscall(SYS_futex, &pair->turn, FUTEX_WAIT, turn, NULL, NULL, 0) && errno == EINTR)
				slot->eintr++;
			continue;
		}
		for (size_t i = 0; i < nr; i++) {
			expect(slot, "shared word", pair->data[i], turn * (i + 1));
			pair->data[i] = (uint64_t)(turn + 1) * (i + 1);
		}
		for (int i = 0; i < 2; i++) {
			expect(slot, "turn in a segment", *segments[i], turn);
			*segments[i] = turn + 1;
		}
		pair->turn = turn + 1;
		syscall(SYS_futex, &pair->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
		slot->loops++;
		nanosleep(&pause, NULL);
	}
}

void make_pair(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/crash-target-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*pair)) || unlink(path))
		die(path);
	pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pair == MAP_FAILED)
		die("mmap");
	close(fd);
}

void make_segments(void)
{
	for (int i = 0; i < 2; i++) {
		int id = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);

		segments[i] = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
		if (segments[i] == (void *)-1 || (i == 0 && shmctl(id, IPC_RMID, NULL)))
			die("segment");
	}
}
