/*
 * shmring - processes that pass a turn around in an unlinked shared file.
 *
 * Step s belongs to process s mod n.  It checks the blocks that the others wrote
 * since its own last step, writes block s mod blocks, and says so in the log.  A
 * step that is lost, done twice or done on another copy of the object shows: the
 * number of steps is kept in the object, in each process and in the log.
 *
 *   shmring -l LOG [-d DIR] [-n PROCESSES] [-m MIB] [-u MICROSECONDS]
 *
 * SIGTERM to the first process ends the job; the last line of LOG is then PASS
 * or FAIL.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES 65536
#define BLOCK_WORDS (BLOCK_BYTES / 8 - 4)
#define MAX_PROCS   256
#define MAGIC	    0x676e69726d687301ULL

struct block {
	uint64_t index;
	uint64_t step; /* the step that wrote it, plus one; 0: never written in turn */
	uint64_t writer;
	uint64_t sum;
	uint64_t words[BLOCK_WORDS];
};

struct ring {
	uint64_t magic;
	pthread_mutex_t lock; /* robust: a dead owner must be noticed, not waited for */
	pthread_cond_t moved;
	uint64_t steps; /* under the lock */
	_Atomic uint64_t atomic_steps;
	_Atomic uint64_t done_by[MAX_PROCS];
	_Atomic int stop, failed;
};

static struct {
	const char *log, *dir;
	unsigned int procs, mib, pause_us;
} opt = { .dir = "/dev/shm", .procs = 4, .mib = 64, .pause_us = 500 };

static struct ring *ring;
static struct block *blocks;
static uint64_t nr_blocks;
static int log_fd;

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* one write: lines of several processes must not mix */
	if (write(log_fd, line, len) != len)
		_exit(3);
}

static void wrong(unsigned int me, const char *what, uint64_t got, uint64_t want)
{
	atomic_store(&ring->failed, 1);
	say("WRONG process %u: %s: %llu instead of %llu\n", me, what, (unsigned long long)got,
	    (unsigned long long)want);
	_exit(1);
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t word(uint64_t step, uint64_t i)
{
	uint64_t x = (step << 20) + i;

	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ (x >> 29);
}

static uint64_t sum_of(const struct block *b)
{
	uint64_t sum = b->index * 31 + b->step * 37 + b->writer * 41;

	for (uint64_t i = 0; i < BLOCK_WORDS; i++)
		sum = (sum ^ b->words[i]) * 0x100000001b3ULL;
	return sum;
}

static void write_block(uint64_t index, uint64_t step, uint64_t writer)
{
	struct block *b = &blocks[index];

	b->index = index;
	b->step = step;
	b->writer = writer;
	for (uint64_t i = 0; i < BLOCK_WORDS; i++)
		b->words[i] = word(step, i);
	b->sum = sum_of(b);
}

static void check_block(unsigned int me, uint64_t index)
{
	const struct block *b = &blocks[index];
	uint64_t last = 0;

	/* the last step before ring->steps that fell on this block */
	if (ring->steps > index)
		last = (ring->steps - 1 - index) / nr_blocks * nr_blocks + index + 1;
	if (b->index != index)
		wrong(me, "block number", b->index, index);
	if (b->step != last)
		wrong(me, "step of a block", b->step, last);
	if (last && b->writer != (last - 1) % opt.procs)
		wrong(me, "writer of a block", b->writer, (last - 1) % opt.procs);
	if (b->words[last % BLOCK_WORDS] != word(last, last % BLOCK_WORDS))
		wrong(me, "word of a block", b->words[last % BLOCK_WORDS], word(last, last % BLOCK_WORDS));
	if (b->sum != sum_of(b))
		wrong(me, "checksum", b->sum, sum_of(b));
}

static void check_all(unsigned int me)
{
	for (uint64_t i = 0; i < nr_blocks; i++)
		check_block(me, i);
}

/* A descriptor and a mapping of one file must not end up on two. */
static void check_fd(unsigned int me, int fd)
{
	struct ring seen;

	if (pread(fd, &seen, sizeof(seen), 0) != sizeof(seen))
		wrong(me, "pread", errno, 0);
	if (seen.magic != MAGIC || seen.steps != ring->steps)
		wrong(me, "steps seen through the descriptor", seen.steps, ring->steps);
}

static void take_lock(unsigned int me)
{
	int ret = pthread_mutex_lock(&ring->lock);

	if (ret)
		wrong(me, "pthread_mutex_lock", ret, 0);
}

static void wait_turn(unsigned int me)
{
	/* with a limit, for "stop" is set by a signal handler that can't signal the condition */
	while (ring->steps % opt.procs != me && !ring->stop) {
		struct timespec until;
		int ret;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 200 * 1000 * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		ret = pthread_cond_timedwait(&ring->moved, &ring->lock, &until);
		if (ret && ret != ETIMEDOUT)
			wrong(me, "pthread_cond_timedwait", ret, 0);
	}
}

static void do_step(unsigned int me, int fd, uint64_t mine)
{
	uint64_t step = ring->steps;

	if (step / opt.procs != mine || ring->done_by[me] != mine)
		wrong(me, "own steps", step / opt.procs, mine);
	if (ring->atomic_steps != step)
		wrong(me, "atomic counter", ring->atomic_steps, step);
	for (uint64_t back = 1; back < opt.procs && back <= step; back++)
		check_block(me, (step - back) % nr_blocks);
	check_block(me, (step * 7919) % nr_blocks);
	if (fd >= 0)
		check_fd(me, fd);

	write_block(step % nr_blocks, step + 1, me);
	say("%llu %u\n", (unsigned long long)step, me);
	ring->steps++;
	atomic_fetch_add(&ring->atomic_steps, 1);
	atomic_fetch_add(&ring->done_by[me], 1);
}

/* Every second process keeps the descriptor, the others have but the mapping. */
static int run(unsigned int me, int fd)
{
	if (me % 2) {
		close(fd);
		fd = -1;
	}
	for (uint64_t mine = 0;; mine++) {
		take_lock(me);
		wait_turn(me);
		if (ring->stop)
			break;
		do_step(me, fd, mine);
		pthread_cond_broadcast(&ring->moved);
		pthread_mutex_unlock(&ring->lock);
		usleep(opt.pause_us);
	}
	check_all(me);
	pthread_mutex_unlock(&ring->lock);
	return 0;
}

static void on_term(int sig)
{
	(void)sig;
	atomic_store(&ring->stop, 1);
}

static int make_object(void)
{
	size_t bytes = (size_t)opt.mib << 20;
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/shmring-%d", opt.dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, bytes) || unlink(path))
		die(path);
	ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		die("mmap");
	/* the first block's place belongs to the ring itself */
	blocks = (struct block *)((char *)ring + BLOCK_BYTES);
	nr_blocks = bytes / BLOCK_BYTES - 1;
	return fd;
}

static void init_object(void)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&mutex, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&ring->lock, &mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&ring->moved, &cond);
	ring->magic = MAGIC;
	for (uint64_t i = 0; i < nr_blocks; i++)
		write_block(i, 0, 0);
}

static bool parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "l:d:n:m:u:")) != -1) {
		if (c == 'l')
			opt.log = optarg;
		else if (c == 'd')
			opt.dir = optarg;
		else if (c == 'n')
			opt.procs = atoi(optarg);
		else if (c == 'm')
			opt.mib = atoi(optarg);
		else if (c == 'u')
			opt.pause_us = atoi(optarg);
		else
			return false;
	}
	return opt.log && opt.procs >= 2 && opt.procs <= MAX_PROCS && opt.mib >= 1;
}

int main(int argc, char **argv)
{
	int fd, status;
	bool bad = false;

	_Static_assert(sizeof(struct block) == BLOCK_BYTES, "a block has no padding");
	_Static_assert(sizeof(struct ring) <= BLOCK_BYTES, "the ring fits the first block");
	if (!parse_options(argc, argv)) {
		fprintf(stderr, "usage: shmring -l LOG [-d DIR] [-n PROCESSES] [-m MIB] [-u MICROSECONDS]\n");
		return 2;
	}
	log_fd = open(opt.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log_fd < 0)
		die(opt.log);
	fd = make_object();
	init_object();
	signal(SIGTERM, on_term);

	for (unsigned int i = 1; i < opt.procs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			return run(i, fd);
	}
	bad = run(0, fd);
	while (wait(&status) > 0)
		bad |= status != 0;
	bad |= ring->failed;
	say("%s %llu steps\n", bad ? "FAIL" : "PASS", (unsigned long long)ring->steps);
	return bad;
}
