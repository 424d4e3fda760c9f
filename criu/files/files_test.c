#include <elf.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "files/build-id.h"
#include "files/files-internal.h"
#include "files/fown.h"
#include "files/inherit.h"
#include "files/pipe-data.h"
#include "files/tty.h"
#include "util/test.h"

static void test_fdinfo_number(void)
{
	const char *text = "pos:\t0\nflags:\t02000002\neventfd-count:               1f\neventfd-id: 12x\nlast:\t7\n";
	uint64_t n = 99;

	CHECK(fdinfo_number(text, "eventfd-count", 16, &n));
	CHECK_EQ(n, 0x1f);
	CHECK(fdinfo_number(text, "flags", 8, &n));
	CHECK_EQ(n, 02000002);
	CHECK(fdinfo_number(text, "last", 10, &n));
	CHECK_EQ(n, 7);
	CHECK(!fdinfo_number(text, "eventfd", 16, &n));
	CHECK(!fdinfo_number(text, "eventfd-id", 10, &n));
	CHECK(!fdinfo_number("count: ffffffffffffffff0\n", "count", 16, &n));
	CHECK(!fdinfo_number("count:\n", "count", 10, &n));
	CHECK(!fdinfo_number("", "count", 10, &n));
	CHECK_EQ(n, 7);
}

static void test_inherit_keys(void)
{
	struct options options = { 0 };
	char key[INHERIT_KEY_BYTES];

	inherit_key_file(key, 0x1f, 0xabcdef0123);
	CHECK_STR(key, "file[1f:abcdef0123]");
	VEC_PUSH(&options.externals, "file[1f:abcdef0123]");
	CHECK(inherit_external(&options, key));
	CHECK(!inherit_external(&options, "file[1f:abcdef012]"));

	inherit_key_tty(key, makedev(136, 3), 0x18);
	CHECK_STR(key, "tty[8803:18]");
	inherit_key_pipe(key, 4026531840u);
	CHECK_STR(key, "pipe:[4026531840]");
	VEC_PUSH(&options.inherit_fds, ((struct inherit_fd){ .fd = 5, .key = "pipe:[4026531840]" }));
	CHECK_EQ(options_inherited(&options, key), 5);
	CHECK_EQ(options_inherited(&options, "pipe:[40265318400]"), -ENOENT);
	VEC_FREE(&options.externals);
	VEC_FREE(&options.inherit_fds);
}

static void test_tty_numbers(void)
{
	/* As the kernel writes 136:300 into /proc/PID/stat. */
	CHECK(tty_nr_decode(0x10882c) == makedev(136, 300));
	CHECK(tty_nr_decode(0x8803) == makedev(136, 3));
	CHECK_EQ(tty_type_of(makedev(136, 300)), TTY_TYPE__PTY);
	CHECK_EQ(tty_type_of(makedev(4, 1)), TTY_TYPE__VT);
	CHECK_EQ(tty_type_of(makedev(4, 64)), TTY_TYPE__SERIAL);
	CHECK_EQ(tty_type_of(makedev(5, 0)), TTY_TYPE__CTTY);
	CHECK_EQ(tty_type_of(makedev(5, 1)), TTY_TYPE__CONSOLE);
	CHECK_EQ(tty_type_of(makedev(1, 3)), TTY_TYPE__UNKNOWN);
	CHECK_EQ(tty_type_of(makedev(144, 0)), TTY_TYPE__UNKNOWN);
}

static size_t add_note(uint8_t *at, uint32_t type, const void *desc, uint32_t bytes)
{
	Elf64_Nhdr note = { .n_namesz = 4, .n_descsz = bytes, .n_type = type };

	memcpy(at, &note, sizeof(note));
	memcpy(at + sizeof(note), "GNU", 4);
	memcpy(at + sizeof(note) + 4, desc, bytes);
	return sizeof(note) + 4 + (bytes + 3) / 4 * 4;
}

static void test_build_id(void)
{
	uint8_t notes[256] = { 0 };
	struct build_id id;
	size_t n;

	n = add_note(notes, NT_GNU_ABI_TAG, "abcdefgh", 8);
	n += add_note(notes + n, NT_GNU_BUILD_ID, "\1\2\3\4\5\6", 6);
	build_id_parse_notes(notes, n, &id);
	CHECK_EQ(id.n_words, 2);
	CHECK_EQ(id.words[0], 0x04030201);
	CHECK_EQ(id.words[1], 0x0605);

	/* Cut off anywhere, it is no id and nothing is read beyond the end. */
	for (size_t cut = 0; cut < n - 2; cut++) {
		auto_free uint8_t *copy = xalloc(cut + 1);

		memcpy(copy, notes, cut);
		build_id_parse_notes(copy, cut, &id);
		CHECK_EQ(id.n_words, 0);
	}

	n = add_note(notes, NT_GNU_BUILD_ID, notes + 100, BUILD_ID_MAX_BYTES + 1);
	build_id_parse_notes(notes, n, &id);
	CHECK_EQ(id.n_words, 0);
	((Elf64_Nhdr *)notes)->n_namesz = UINT32_MAX;
	build_id_parse_notes(notes, n, &id);
	CHECK_EQ(id.n_words, 0);
}

static void test_deleted_suffix(void)
{
	struct arena *arena = arena_new();
	char dir[] = "/tmp/files-test-XXXXXX";
	auto_free char *odd = NULL;
	struct stat st = { 0 };

	CHECK_STR(file_path(arena, "/a/b", &st), "/a/b");
	CHECK_STR(file_path(arena, "/a/b (deleted)", &st), "/a/b");
	CHECK_STR(file_path(arena, " (deleted)", &st), " (deleted)");
	if (mkdtemp(dir)) {
		odd = xasprintf("%s/x (deleted)", dir);
		close(open(odd, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		CHECK(!stat(odd, &st));
		CHECK_STR(file_path(arena, odd, &st), odd);
		unlink(odd);
		rmdir(dir);
	}
	arena_free(arena);
}

static void test_pipe_packets(void)
{
	static const uint32_t want[] = { 0, 3, 0, 1 };
	struct pipe_content content = { 0 };
	int ends[2];

	CHECK(!pipe2(ends, O_CLOEXEC | O_DIRECT));
	CHECK_EQ(write(ends[1], "one", 3), 3);
	CHECK_EQ(write(ends[1], "2", 1), 1);
	CHECK(!fcntl(ends[1], F_SETFL, 0));
	CHECK_EQ(write(ends[1], "plain", 5), 5);
	CHECK(!pipe_data_read(ends[0], &content));
	CHECK_EQ(content.n, 9);
	CHECK_EQ(content.stretches.n, 4);
	CHECK(!memcmp(content.bytes, "one2plain", 9));
	CHECK(!memcmp(content.stretches.data, want, sizeof(want)));
	pipe_content_free(&content);
	close(ends[0]);
	close(ends[1]);
}

/* No room for one more byte: it takes another way to see that there are no packets. */
static void test_pipe_full(void)
{
	static char bytes[65536];
	struct pipe_content content = { 0 };
	int ends[2];

	memset(bytes, 'x', sizeof(bytes));
	CHECK(!pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	CHECK(fcntl(ends[1], F_SETPIPE_SZ, sizeof(bytes)) == sizeof(bytes));
	CHECK_EQ(write(ends[1], bytes, sizeof(bytes)), sizeof(bytes));
	CHECK(!pipe_data_read(ends[1], &content));
	CHECK_EQ(content.n, sizeof(bytes));
	CHECK_EQ(content.stretches.n, 0);
	CHECK(!memcmp(content.bytes, bytes, sizeof(bytes)));
	pipe_content_free(&content);
	close(ends[0]);
	close(ends[1]);
}

static void test_pipe_data_read(void)
{
	struct pipe_content content = { 0 };
	int ends[2], queued = 0;

	CHECK(!pipe2(ends, O_CLOEXEC));
	CHECK(!pipe_data_read(ends[1], &content));
	CHECK_EQ(content.n, 0);
	CHECK_EQ(content.capacity_bytes, fcntl(ends[0], F_GETPIPE_SZ));

	/* Both ends can tell, and neither takes anything out. */
	CHECK_EQ(write(ends[1], "hello ", 6), 6);
	CHECK_EQ(write(ends[1], "world", 5), 5);
	for (int i = 0; i < 2; i++) {
		CHECK(!pipe_data_read(ends[i], &content));
		CHECK_EQ(content.n, 11);
		CHECK_EQ(content.stretches.n, 0);
		CHECK(content.bytes && !memcmp(content.bytes, "hello world", 11));
		pipe_content_free(&content);
	}
	CHECK(!ioctl(ends[0], FIONREAD, &queued));
	CHECK_EQ(queued, 11);
	close(ends[0]);
	close(ends[1]);

	CHECK(!pipe2(ends, O_CLOEXEC | O_DIRECT));
	CHECK_EQ(write(ends[1], "one", 3), 3);
	CHECK_EQ(write(ends[1], "two", 3), 3);
	CHECK(!pipe_data_read(ends[0], &content));
	CHECK_EQ(content.n, 6);
	CHECK_EQ(content.stretches.n, 4);
	pipe_content_free(&content);
	close(ends[0]);
	close(ends[1]);
}

/* --- restore of what needs no privilege ----------------------------------------- */

static uint32_t add_pipe_end(struct model *model, uint32_t pipe_id, uint32_t flags)
{
	FileEntry *entry = model_add_file(model, FD_TYPES__PIPE);

	entry->pipe = model_new(model, PipeEntry, pipe_entry__init);
	entry->pipe->id = entry->id;
	entry->pipe->pipe_id = pipe_id;
	entry->pipe->flags = flags;
	entry->pipe->fown = fown_none(model);
	return entry->id;
}

static uint32_t add_eventfd(struct model *model, uint32_t flags, uint64_t counter)
{
	FileEntry *entry = model_add_file(model, FD_TYPES__EVENTFD);

	entry->efd = model_new(model, EventfdFileEntry, eventfd_file_entry__init);
	entry->efd->id = entry->id;
	entry->efd->flags = flags;
	entry->efd->counter = counter;
	entry->efd->fown = fown_none(model);
	return entry->id;
}

static void add_pipe_content(struct model *model, uint32_t pipe_id, const char *text, uint32_t size)
{
	struct pipe_data_image *data = VEC_ADD(&model->pipe_data);

	data->bytes = arena_strdup(model->arena, text);
	data->entry = model_new(model, PipeDataEntry, pipe_data_entry__init);
	data->entry->pipe_id = pipe_id;
	data->entry->bytes = strlen(text);
	data->entry->has_size = true;
	data->entry->size = size;
}

static void name_in_table(struct model *model, const uint32_t *ids, size_t n)
{
	struct fdtable_image *table = VEC_ADD(&model->fdtables);

	table->files_id = 1;
	table->n_fds = n;
	table->fds = arena_array(model->arena, FdinfoEntry *, n);
	for (size_t i = 0; i < n; i++) {
		table->fds[i] = model_new(model, FdinfoEntry, fdinfo_entry__init);
		table->fds[i]->id = ids[i];
		table->fds[i]->type = model_file(model, ids[i])->type;
		table->fds[i]->fd = 100 - i;
		table->fds[i]->flags = i % 2;
	}
}

static void check_pipe(struct files_restore *ctx, const uint32_t *ids)
{
	int reader = files_fd(ctx, ids[0]), twin = files_fd(ctx, ids[1]), writer = files_fd(ctx, ids[2]);
	char text[32] = "";

	CHECK_EQ(fcntl(reader, F_GETPIPE_SZ), 8192);
	CHECK_EQ(fcntl(reader, F_GETFL), O_RDONLY);
	CHECK_EQ(fcntl(twin, F_GETFL), O_RDONLY | O_NONBLOCK | FILE_FLAG_LARGEFILE);
	CHECK_EQ(fcntl(writer, F_GETFL), O_WRONLY | O_NONBLOCK);
	CHECK_EQ(read(twin, text, sizeof(text)), 5);
	CHECK_STR(text, "hello");
	CHECK_EQ(write(writer, "x", 1), 1);
	CHECK_EQ(read(reader, text, sizeof(text)), 1);

	/* A pipe of which only the writing end is left. */
	CHECK_EQ(write(files_fd(ctx, ids[3]), "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
}

static void check_eventfds(struct files_restore *ctx, const uint32_t *ids)
{
	uint64_t value = 0;

	CHECK_EQ(fcntl(files_fd(ctx, ids[0]), F_GETFL), O_RDWR);
	CHECK_EQ(read(files_fd(ctx, ids[0]), &value, 8), 8);
	CHECK_EQ(value, 0x1234567890);
	CHECK_EQ(fcntl(files_fd(ctx, ids[1]), F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(read(files_fd(ctx, ids[1]), &value, 8), 8);
	CHECK_EQ(value, 1);
}

static void test_make(void)
{
	struct options options = { 0 };
	struct model model;
	struct files_restore ctx = { .model = &model, .options = &options };
	courier_items items = { 0 };
	uint32_t ids[6];

	model_init(&model);
	ids[0] = add_pipe_end(&model, 7, O_RDONLY);
	ids[1] = add_pipe_end(&model, 7, O_RDONLY | O_NONBLOCK);
	ids[2] = add_pipe_end(&model, 7, O_WRONLY | O_NONBLOCK);
	ids[3] = add_pipe_end(&model, 8, O_WRONLY);
	ids[4] = add_eventfd(&model, O_RDWR, 0x1234567890);
	ids[5] = add_eventfd(&model, O_RDWR | O_NONBLOCK | 1, 2);
	add_pipe_content(&model, 7, "hello", 8192);
	name_in_table(&model, ids, ARRAY_SIZE(ids));

	signal(SIGPIPE, SIG_IGN);
	CHECK(!files_validate(&model));
	CHECK(!files_make(&ctx));
	CHECK(!files_settle(&ctx));
	CHECK(!files_table(&ctx, 1, &items));
	CHECK_EQ(items.n, ARRAY_SIZE(ids));
	for (size_t i = 0; i < items.n; i++) {
		CHECK_EQ(items.data[i].number, 95 + i);
		CHECK_EQ(items.data[i].fd, files_fd(&ctx, ids[5 - i]));
		CHECK_EQ(items.data[i].cloexec, (5 - i) % 2);
	}
	check_pipe(&ctx, ids);
	check_eventfds(&ctx, ids + 4);
	VEC_FREE(&items);
	files_restore_free(&ctx);
	model_free(&model);
}

/* A descriptor of the file @name with some position, or what making it failed with. */
static int make_reg(struct files_restore *ctx, struct model *model, const char *name, uint32_t flags)
{
	FileEntry *entry = model_add_file(model, FD_TYPES__REG);
	RegFileEntry *reg = model_new(model, RegFileEntry, reg_file_entry__init);
	struct made_file made = { .fd = -1 };
	int err;

	entry->reg = reg;
	reg->id = entry->id;
	reg->flags = flags;
	reg->pos = 2;
	reg->fown = fown_none(model);
	reg->name = (char *)name;
	err = reg_kind.make(ctx, entry, &made);
	return err ?: made.fd;
}

/* Only what the path really leads to is opened; what was inherited is left as it is. */
static void test_open_path(void)
{
	char dir[] = "/tmp/files-test-XXXXXX";
	struct options options = { 0 };
	struct files_restore ctx = { .options = &options };
	auto_free char *file = NULL, *link = NULL;
	auto_fd int fd = -1, nofollow = -1, inherited = -1, given = -1;
	struct model model;

	model_init(&model);
	ctx.model = &model;
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(!remap_make(&model, NULL, &options, NULL, NULL, &ctx.remaps)))
		return;
	file = xasprintf("%s/file", dir);
	link = xasprintf("%s/link", dir);
	given = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(given >= 0 && !symlink("file", link));

	fd = make_reg(&ctx, &model, file, O_RDWR | O_APPEND);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & ~FILE_FLAG_LARGEFILE, O_RDWR | O_APPEND);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	nofollow = make_reg(&ctx, &model, file, O_RDONLY | O_NOFOLLOW);
	CHECK_EQ(fcntl(nofollow, F_GETFL) & ~FILE_FLAG_LARGEFILE, O_RDONLY | O_NOFOLLOW);
	CHECK_EQ(make_reg(&ctx, &model, link, O_RDONLY), -ELOOP);
	CHECK_EQ(make_reg(&ctx, &model, "/dev/tty", O_RDONLY), -ENOTSUP);
	CHECK_EQ(make_reg(&ctx, &model, "/dev/fd/0", O_RDONLY), -ELOOP);

	VEC_PUSH(&options.inherit_fds, ((struct inherit_fd){ .fd = given, .key = file + 1 }));
	inherited = make_reg(&ctx, &model, file, O_RDONLY);
	CHECK(inherited >= 0);
	CHECK_EQ(lseek(given, 0, SEEK_CUR), 0);

	VEC_FREE(&options.inherit_fds);
	files_restore_free(&ctx);
	remap_restore_free(ctx.remaps);
	model_free(&model);
	unlink(file);
	unlink(link);
	rmdir(dir);
}

/* Images that no dump writes are turned down before anything is made. */
static void test_validate(void)
{
	struct model model;
	uint32_t id;

	model_init(&model);
	id = add_pipe_end(&model, 7, 3);
	CHECK(files_validate(&model) == -EINVAL);
	model_file(&model, id)->pipe->flags = O_RDONLY;
	CHECK(!files_validate(&model));
	model_file(&model, id)->pipe->fown->signum = 65;
	CHECK(files_validate(&model) == -EINVAL);
	model_file(&model, id)->pipe->fown->signum = 0;
	model_file(&model, id)->pipe->fown->pid_type = 3;
	CHECK(files_validate(&model) == -EINVAL);
	model_file(&model, id)->pipe = NULL;
	CHECK(files_validate(&model) == -EINVAL);
	model_file(&model, id)->type = FD_TYPES__BPFMAP;
	CHECK(files_validate(&model) == -ENOTSUP);
	model_free(&model);
}

int main(void)
{
	test_fdinfo_number();
	test_inherit_keys();
	test_tty_numbers();
	test_build_id();
	test_deleted_suffix();
	test_pipe_data_read();
	test_pipe_packets();
	test_pipe_full();
	test_make();
	test_open_path();
	test_validate();
	return test_end();
}
