/*
 * An MPI program whose ranks check each other in every step; see job_mpich.py.
 *
 *	mpijob ring|window|file LOG STOP
 *
 * ring: a token with a sequence number goes around, every rank adds its
 * number to a sum of all, and neighbours exchange messages of a size that
 * changes from nothing to some MiB, with a pattern of sender, step and place.
 * window: one-sided. Each rank draws numbers from a counter in the memory of
 * rank 0 and enters itself in a table there; no number may be drawn twice.
 * file: the ranks share a file that rank 0 deletes when all have mapped it,
 * and take turns in it. In every mode an Allreduce ends the step.
 *
 * Rank 0 writes a line for each step, and WRONG for what any rank finds.
 * When the file STOP exists, all end, and the last line is PASS.
 */
#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TABLE_ENTRIES	4096
#define LARGEST_MESSAGE (4 << 20)

static int rank, ranks;
static long step;

static void wrong(const char *what, long is, long expected)
{
	fprintf(stderr, "WRONG rank %d step %ld: %s is %ld, not %ld\n", rank, step, what, is, expected);
	MPI_Abort(MPI_COMM_WORLD, 1);
}

static void expect(const char *what, long is, long expected)
{
	if (is != expected)
		wrong(what, is, expected);
}

/* Does somebody want all to end? Asked by rank 0, told to all by a sum. */
static int agree(const char *stop)
{
	long mine[3] = { rank == 0 && access(stop, F_OK) == 0, step * (rank + 1), 1 }, all[3];

	MPI_Allreduce(mine, all, 3, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
	expect("sum of the steps", all[1], step * ranks * (ranks + 1) / 2);
	expect("number of ranks", all[2], ranks);
	return all[0] != 0;
}

/* --- ring --- */

static unsigned char *out, *in;

static void fill(unsigned char *buf, size_t bytes, int sender)
{
	for (size_t i = 0; i < bytes; i += 509)
		buf[i] = (unsigned char)(i * 7 + step * 31 + sender);
	if (bytes)
		buf[bytes - 1] = (unsigned char)(step + sender);
}

static void compare(size_t bytes, int sender)
{
	for (size_t i = 0; i + 1 < bytes; i += 509)
		expect("a byte of a message", in[i], (unsigned char)(i * 7 + step * 31 + sender));
	if (bytes)
		expect("last byte of a message", in[bytes - 1], (unsigned char)(step + sender));
}

/* Sizes on both sides of every limit between a transport's protocols, the least and the largest among the first ten. */
static size_t message_bytes(void)
{
	long turn = (step * 5 + 23) % 46;
	size_t bytes = (size_t)1 << (turn % 23);

	return turn < 23 ? bytes : bytes - 1;
}

static void exchange(void)
{
	int next = (rank + 1) % ranks, before = (rank + ranks - 1) % ranks, count;
	size_t bytes = message_bytes();
	MPI_Request requests[2];
	MPI_Status statuses[2];

	fill(out, bytes, rank);
	memset(in, 0, bytes + 1);
	MPI_Irecv(in, LARGEST_MESSAGE + 1, MPI_BYTE, before, (int)(step % 30000), MPI_COMM_WORLD, &requests[0]);
	MPI_Isend(out, (int)bytes, MPI_BYTE, next, (int)(step % 30000), MPI_COMM_WORLD, &requests[1]);
	MPI_Waitall(2, requests, statuses);
	MPI_Get_count(&statuses[0], MPI_BYTE, &count);
	expect("length of a message", count, (long)bytes);
	expect("sender of a message", statuses[0].MPI_SOURCE, before);
	compare(bytes, before);
}

static void ring_step(void)
{
	int next = (rank + 1) % ranks, before = (rank + ranks - 1) % ranks;
	long token[2];

	if (rank == 0) {
		token[0] = step;
		token[1] = 0;
		MPI_Send(token, 2, MPI_LONG, next, 1, MPI_COMM_WORLD);
	}
	MPI_Recv(token, 2, MPI_LONG, before, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	expect("number of the token", token[0], step);
	expect("holders of the token", token[1], rank ? rank - 1 : ranks - 1);
	if (rank) {
		token[1]++;
		MPI_Send(token, 2, MPI_LONG, next, 1, MPI_COMM_WORLD);
	}
	exchange();
}

static void ring_start(void)
{
	out = calloc(1, LARGEST_MESSAGE + 1);
	in = calloc(1, LARGEST_MESSAGE + 1);
	if (!out || !in)
		MPI_Abort(MPI_COMM_WORLD, 2);
}

/* --- window --- */

static MPI_Win window;
static long *table; /* [0] is what the neighbour has put; rank 0 has the counter and who drew which number, too */
#define COUNTER 1
#define DRAWN	2

static void window_start(void)
{
	const MPI_Aint bytes = (TABLE_ENTRIES + DRAWN) * sizeof(long);

	MPI_Win_allocate(bytes, sizeof(long), MPI_INFO_NULL, MPI_COMM_WORLD, &table, &window);
	MPI_Win_lock_all(0, window);
	memset(table, 0, (size_t)bytes);
	MPI_Win_sync(window);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void window_step(void)
{
	long one = 1, me = rank + 1, number, sum = step * ranks;

	MPI_Fetch_and_op(&one, &number, MPI_LONG, 0, COUNTER, MPI_SUM, window);
	MPI_Win_flush(0, window);
	if (number < sum || number >= sum + ranks)
		wrong("number from the window", number, sum);
	MPI_Accumulate(&me, 1, MPI_LONG, 0, DRAWN + number % TABLE_ENTRIES, 1, MPI_LONG, MPI_SUM, window);
	MPI_Put(&step, 1, MPI_LONG, (rank + 1) % ranks, 0, 1, MPI_LONG, window);
	MPI_Win_flush_all(window);
	MPI_Barrier(MPI_COMM_WORLD);
	MPI_Win_sync(window);
	for (long seen = 0, i = 0; rank == 0 && i < ranks; i++) {
		long *entry = &table[DRAWN + (sum + i) % TABLE_ENTRIES];

		seen |= 1L << *entry;
		*entry = 0;
		if (i == ranks - 1)
			expect("set of ranks that drew a number", seen, (2L << ranks) - 2);
	}
	expect("step that the neighbour has put", table[0], step);
	if (rank == 0)
		expect("counter", table[COUNTER], sum + ranks);
	MPI_Win_sync(window);
	MPI_Barrier(MPI_COMM_WORLD);
}

/* --- file --- */

static struct {
	volatile long turn;
	volatile long seen[TABLE_ENTRIES];
} * shared;

static void file_start(const char *log)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s.shared", log);
	if (rank == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || ftruncate(fd, sizeof(*shared)))
			MPI_Abort(MPI_COMM_WORLD, 3);
		close(fd);
	}
	MPI_Barrier(MPI_COMM_WORLD);
	fd = open(path, O_RDWR);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || shared == MAP_FAILED)
		MPI_Abort(MPI_COMM_WORLD, 4);
	close(fd);
	MPI_Barrier(MPI_COMM_WORLD);
	if (rank == 0)
		unlink(path);
	MPI_Barrier(MPI_COMM_WORLD);
}

static void file_step(void)
{
	long mine = step * ranks + rank, before = mine - 1;

	while (__atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE) != mine)
		usleep(100);
	if (before >= 0)
		expect("who was before me", shared->seen[before % TABLE_ENTRIES], before);
	shared->seen[mine % TABLE_ENTRIES] = mine;
	__atomic_store_n(&shared->turn, mine + 1, __ATOMIC_RELEASE);
}

/* --- all --- */

static int open_log(const char *path)
{
	int fd = rank == 0 ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (rank == 0 && fd < 0)
		MPI_Abort(MPI_COMM_WORLD, 5);
	return fd;
}

int main(int argc, char **argv)
{
	const char *mode = argc == 4 ? argv[1] : "";
	int log, end = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &ranks);
	log = open_log(argv[2]);
	if (!strcmp(mode, "ring"))
		ring_start();
	else if (!strcmp(mode, "window"))
		window_start();
	else if (!strcmp(mode, "file"))
		file_start(argv[2]);
	else
		MPI_Abort(MPI_COMM_WORLD, 6);
	for (step = 0; !end; step++) {
		if (out)
			ring_step();
		else if (table)
			window_step();
		else
			file_step();
		end = agree(argv[3]);
		if (rank == 0)
			dprintf(log, "%ld\n", step);
	}
	if (table) {
		MPI_Win_unlock_all(window);
		MPI_Win_free(&window);
	}
	MPI_Finalize();
	if (rank == 0)
		dprintf(log, "PASS %ld steps of %d ranks\n", step, ranks);
	return 0;
}
