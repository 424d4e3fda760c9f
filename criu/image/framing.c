/*
 * One image file: magics, then entries, each a 32-bit length and a serialized
 * message; some kinds have raw bytes between or after entries. A writer keeps
 * the file in memory and writes it in one go; a reader checks every length
 * against what is left of the file before it uses it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "image/image-file.h"
#include "image/image-table.h"
#include "util/log.h"

/* No message of ours or mainline's comes near; a length beyond it is damage. */
#define ENTRY_MAX_BYTES	  (64 * 1024 * 1024UL)
#define WRITE_CHUNK_BYTES (1024 * 1024UL)
#define READ_CHUNK_BYTES  (64 * 1024UL)

struct image_writer {
	struct image_dir *dir;
	int fd;
	char name[IMAGE_NAME_BYTES];
	uint8_t *buf;
	size_t bytes, cap;
};

static int writer_flush(struct image_writer *writer)
{
	size_t done = 0;

	while (done < writer->bytes) {
		ssize_t n = write(writer->fd, writer->buf + done, writer->bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno("%s/%s: cannot write the image", writer->dir->path, writer->name);
		done += n;
	}
	writer->bytes = 0;
	return 0;
}

/* Room for @bytes more in the buffer. */
static int writer_room(struct image_writer *writer, size_t bytes, uint8_t **ret)
{
	if (writer->bytes && writer->bytes + bytes > WRITE_CHUNK_BYTES) {
		int err = writer_flush(writer);

		if (err)
			return err;
	}
	if (writer->bytes + bytes > writer->cap) {
		writer->cap = max_u64(max_u64(writer->cap * 2, PAGE_BYTES), writer->bytes + bytes);
		writer->buf = xrealloc(writer->buf, writer->cap);
	}
	*ret = writer->buf + writer->bytes;
	writer->bytes += bytes;
	return 0;
}

static void writer_free(struct image_writer *writer)
{
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->buf);
	free(writer);
}

int image_create_named(struct image_dir *dir, enum image_kind kind, const char *name, struct image_writer **ret)
{
	struct image_writer *writer;
	uint32_t header[2];
	size_t n;
	int fd;

	fd = image_create_fd(dir, name);
	if (fd < 0)
		return fd;
	writer = xalloc(sizeof(*writer));
	writer->dir = dir;
	writer->fd = fd;
	strncpy(writer->name, name, sizeof(writer->name) - 1);

	n = image_type_header(&image_types[kind], header) * sizeof(*header);
	writer->cap = PAGE_BYTES;
	writer->buf = xalloc(writer->cap);
	memcpy(writer->buf, header, n);
	writer->bytes = n;
	*ret = writer;
	return 0;
}

int image_create(struct image_dir *dir, enum image_kind kind, uint64_t id, struct image_writer **ret)
{
	char name[IMAGE_NAME_BYTES];

	image_file_name(kind, id, name);
	return image_create_named(dir, kind, name, ret);
}

int image_write_entry(struct image_writer *writer, const ProtobufCMessage *msg)
{
	size_t bytes = protobuf_c_message_get_packed_size(msg);
	uint32_t length = bytes;
	uint8_t *at;
	int err;

	if (bytes > ENTRY_MAX_BYTES)
		return fail(EFBIG, "%s: a %s of %zu bytes", writer->name, msg->descriptor->name, bytes);
	err = writer_room(writer, sizeof(length) + bytes, &at);
	if (err)
		return err;
	memcpy(at, &length, sizeof(length));
	protobuf_c_message_pack(msg, at + sizeof(length));
	return 0;
}

int image_write_raw(struct image_writer *writer, const void *data, size_t bytes)
{
	while (bytes) {
		size_t part = min_u64(bytes, WRITE_CHUNK_BYTES);
		uint8_t *at;
		int err;

		err = writer_room(writer, part, &at);
		if (err)
			return err;
		memcpy(at, data, part);
		data = (const char *)data + part;
		bytes -= part;
	}
	return 0;
}

int image_finish(struct image_writer *writer)
{
	int err = writer_flush(writer);

	if (!err)
		image_add_unsynced(writer->dir, take_fd(&writer->fd));
	writer_free(writer);
	return err;
}

void image_abort(struct image_writer *writer)
{
	writer_free(writer);
}

/* --- reading ---------------------------------------------------------------- */

struct image_reader {
	const struct image_dir *dir;
	int fd;
	char name[IMAGE_NAME_BYTES];
	uint64_t file_bytes;
	uint64_t offset; /* of the next byte to hand out */
	uint8_t *buf;	 /* file content from buf_offset on */
	uint64_t buf_offset;
	size_t buf_bytes, buf_cap;
	size_t n_entries;
};

int image_open_fd(const struct image_dir *dir, const char *name, uint64_t *ret_bytes)
{
	auto_fd int fd = -1;
	struct stat st;

	/* O_NONBLOCK: a fifo planted under the name must not hang us before it is recognised. */
	fd = openat(dir->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT)
			return -ENOENT;
		return fail_errno("%s/%s: cannot open the image", dir->path, name);
	}
	if (fstat(fd, &st))
		return fail_errno("%s/%s: fstat", dir->path, name);
	if (!S_ISREG(st.st_mode))
		return fail(EINVAL, "%s/%s: not a regular file", dir->path, name);
	*ret_bytes = st.st_size;
	return take_fd(&fd);
}

/* Make @bytes bytes at the current offset available in memory. */
static int reader_need(struct image_reader *reader, size_t bytes, const uint8_t **ret)
{
	uint64_t left = reader->file_bytes - reader->offset;
	size_t have, want;

	if (bytes > left)
		return fail(EINVAL, "%s/%s: entry %zu: truncated: %zu bytes wanted, %llu left", reader->dir->path,
			    reader->name, reader->n_entries, bytes, (unsigned long long)left);
	if (reader->offset + bytes > reader->buf_offset + reader->buf_bytes) {
		have = reader->buf_offset + reader->buf_bytes - reader->offset;
		want = min_u64(left, max_u64(bytes, READ_CHUNK_BYTES));
		memmove(reader->buf, reader->buf + (reader->offset - reader->buf_offset), have);
		reader->buf_offset = reader->offset;
		reader->buf_bytes = have;
		if (want > reader->buf_cap) {
			reader->buf = xrealloc(reader->buf, want);
			reader->buf_cap = want;
		}
		while (reader->buf_bytes < want) {
			ssize_t n = pread(reader->fd, reader->buf + reader->buf_bytes, want - reader->buf_bytes,
					  (off_t)(reader->buf_offset + reader->buf_bytes));

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return fail_errno("%s/%s: cannot read the image", reader->dir->path, reader->name);
			if (n == 0)
				return fail(EINVAL, "%s/%s: became shorter while being read", reader->dir->path,
					    reader->name);
			reader->buf_bytes += n;
		}
	}
	*ret = reader->buf + (reader->offset - reader->buf_offset);
	return 0;
}

static int reader_check_header(struct image_reader *reader, enum image_kind kind)
{
	uint32_t header[2];
	size_t bytes = image_type_header(&image_types[kind], header) * sizeof(*header);
	const uint8_t *at;
	int err;

	err = reader_need(reader, bytes, &at);
	if (err)
		return err;
	if (memcmp(at, header, bytes))
		return fail(EINVAL, "%s/%s: wrong magic: not a %s image", reader->dir->path, reader->name,
			    image_types[kind].name);
	reader->offset += bytes;
	return 0;
}

int image_open(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct image_reader **ret)
{
	struct image_reader *reader;
	char name[IMAGE_NAME_BYTES];
	uint64_t bytes;
	int fd, err;

	image_file_name(kind, id, name);
	fd = image_open_fd(dir, name, &bytes);
	if (fd < 0)
		return fd;
	reader = xalloc(sizeof(*reader));
	reader->dir = dir;
	reader->fd = fd;
	memcpy(reader->name, name, sizeof(name));
	reader->file_bytes = bytes;
	reader->buf_cap = PAGE_BYTES;
	reader->buf = xalloc(reader->buf_cap);

	err = reader_check_header(reader, kind);
	if (err) {
		image_close(reader);
		return err;
	}
	*ret = reader;
	return 0;
}

static void *unpack_alloc(void *arena, size_t bytes)
{
	return arena_alloc(arena, bytes);
}

static void unpack_free(void *arena, void *ptr)
{
	/* All of it goes with the arena. */
}

int image_read_entry(struct image_reader *reader, const ProtobufCMessageDescriptor *type, struct arena *arena,
		     void **ret)
{
	ProtobufCAllocator allocator = { .alloc = unpack_alloc, .free = unpack_free, .allocator_data = arena };
	const uint8_t *at;
	uint32_t length;
	void *msg;
	int err;

	if (reader->offset == reader->file_bytes)
		return 0;
	err = reader_need(reader, sizeof(length), &at);
	if (err)
		return err;
	memcpy(&length, at, sizeof(length));
	if (length > ENTRY_MAX_BYTES)
		return fail(EINVAL, "%s/%s: entry %zu: length %u is more than any entry has", reader->dir->path,
			    reader->name, reader->n_entries, length);
	reader->offset += sizeof(length);
	err = reader_need(reader, length, &at);
	if (err)
		return err;
	msg = protobuf_c_message_unpack(type, &allocator, length, at);
	if (!msg)
		return fail(EINVAL, "%s/%s: entry %zu: not a valid %s", reader->dir->path, reader->name,
			    reader->n_entries, type->name);
	reader->offset += length;
	reader->n_entries++;
	*ret = msg;
	return 1;
}

int image_read_raw(struct image_reader *reader, void *buf, size_t bytes)
{
	while (bytes) {
		size_t part = min_u64(bytes, READ_CHUNK_BYTES);
		const uint8_t *at;
		int err;

		err = reader_need(reader, part, &at);
		if (err)
			return err;
		memcpy(buf, at, part);
		reader->offset += part;
		buf = (char *)buf + part;
		bytes -= part;
	}
	return 0;
}

int image_rest(struct image_reader *reader, int *ret_fd, uint64_t *ret_offset, uint64_t *ret_bytes)
{
	*ret_fd = reader->fd;
	*ret_offset = reader->offset;
	*ret_bytes = reader->file_bytes - reader->offset;
	return 0;
}

void image_close(struct image_reader *reader)
{
	close(reader->fd);
	free(reader->buf);
	free(reader);
}
