/*
 * Taking what waits in ptys, which only reading can do, and saving it in
 * tty-data.img. It happens when everything else of the images is on disk, and the guard
 * does it: whether criu dies, or the dump fails, or the tree is left to go
 * on, the guard puts it back. The tree stands still, and the
 * bytes come back before anything else can be written, and nobody is told of them by signal (fown-quiet.h); should criu be killed meanwhile, the guard holds it at its exit
 * for as long (mem/guard-hold.h). Where a debugger traces criu it can't: no byte is lost then either, but one that
 * a task writes in that moment may come first.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "files/pty-queue.h"
#include "files/pty-take.h"
#include "image/image.h"
#include "util/log.h"

struct pty_taken {
	int slave;  /* -1: not taken */
	int packet; /* the master is in packet mode */
	struct pty_queues queues;
};

/* --- taking ------------------------------------------------------------------ */

static int check_never_opened(const struct pty_note *note, const struct pty_taken *taken)
{
	if (!note->never_opened || (!taken->queues.slave.bytes.n && !taken->queues.slave.lines.n))
		return 0;
	return fail(ENOTSUP,
		    "pty %u: input waits for a slave that nobody has opened yet: not supported; have it opened, or the "
		    "master closed, before the dump",
		    note->index);
}

static int take_one(int master, const struct pty_note *note, struct pty_taken *taken)
{
	const int off = 0;
	int err;

	LOG_SCOPE("task", note->pid);
	LOG_SCOPE("fd", note->fd);
	if (ioctl(master, TIOCGPKT, &taken->packet) || (taken->packet && ioctl(master, TIOCPKT, &off)))
		return fail_errno("pty %u: packet mode", note->index);
	taken->slave = pty_open_slave(master, O_RDWR);
	if (taken->slave < 0)
		return fail(-taken->slave, "pty %u: cannot open the slave", note->index);
	err = pty_take(master, taken->slave, &taken->queues);
	if (err == -EOVERFLOW)
		return fail(ENOTSUP, "pty %u: " PTY_OVERFULL, note->index);
	if (err)
		return fail(-err, "pty %u: cannot read what waits in it", note->index);
	return check_never_opened(note, taken);
}

static int write_entry(struct image_writer *writer, uint32_t id, struct pty_queue *queue)
{
	TtyDataEntry entry = TTY_DATA_ENTRY__INIT;
	size_t whole = 0;

	if (!queue->bytes.n && !queue->lines.n && !queue->stopped)
		return 0;
	for (size_t i = 0; i < queue->lines.n; i++)
		whole += queue->lines.data[i];
	entry.tty_id = id;
	entry.data = (ProtobufCBinaryData){ .data = queue->bytes.data, .len = queue->bytes.n };
	entry.has_edited = queue->canonical;
	entry.edited = queue->bytes.n - whole;
	entry.n_lines = queue->lines.n;
	entry.lines = queue->lines.data;
	entry.has_stopped = entry.stopped = queue->stopped;
	return image_write_entry(writer, &entry.base);
}

static int save(int dir_fd, const struct pty_notes *notes, size_t n)
{
	struct image_dir dir = { .fd = dir_fd, .path = "images directory" };
	struct image_writer *writer;
	int err = image_create(&dir, IMAGE_TTY_DATA, 0, &writer);

	if (err)
		return err;
	for (size_t i = 0; !err && i < n; i++) {
		err = write_entry(writer, notes->of[i].slave_id, &notes->taken[i].queues.slave);
		if (!err)
			err = write_entry(writer, notes->of[i].master_id, &notes->taken[i].queues.master);
	}
	if (err) {
		image_abort(writer);
		return err;
	}
	err = image_finish(writer);
	return err ? err : image_sync(&dir);
}

int pty_take_all(int dir_fd, const int *masters, size_t n, void *data)
{
	struct pty_notes *notes = data;
	int err = 0;

	notes->taken = xalloc(n * sizeof(*notes->taken));
	for (size_t i = 0; i < n; i++)
		notes->taken[i].slave = -1;
	for (size_t i = 0; !err && i < n; i++)
		err = take_one(masters[i], &notes->of[i], &notes->taken[i]);
	return err ? err : save(dir_fd, notes, n);
}

/* --- giving back --------------------------------------------------------------- */

void pty_give_all_back(const int *masters, size_t n, void *data)
{
	struct pty_notes *notes = data;

	for (size_t i = 0; notes->taken && i < n; i++) {
		struct pty_taken *taken = &notes->taken[i];
		const int on = 1;

		/* Nobody is left to be told. */
		if (taken->slave >= 0 && pty_put(masters[i], taken->slave, &taken->queues))
			pr_warn("pty %u: not all that waited in it could be put back", notes->of[i].index);
		if (taken->packet)
			ioctl(masters[i], TIOCPKT, &on);
		close_fdp(&taken->slave);
		pty_queues_free(&taken->queues);
	}
	for (size_t i = 0; i < n; i++)
		close(masters[i]);
	free(take_ptr(notes->taken));
}
