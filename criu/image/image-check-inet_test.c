#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "image/image-check-files.h"
#include "util/test.h"

static InetSkEntry *add_inet(struct model *model, FileEntry **ret_file)
{
	FileEntry *file = model_add_file(model, FD_TYPES__INETSK);
	InetSkEntry *entry = model_new(model, InetSkEntry, inet_sk_entry__init);

	file->isk = entry;
	entry->id = file->id;
	entry->family = AF_INET6;
	entry->type = SOCK_STREAM;
	entry->proto = IPPROTO_TCP;
	entry->src_addr = arena_array(model->arena, uint32_t, 4);
	entry->dst_addr = arena_array(model->arena, uint32_t, 4);
	entry->n_src_addr = entry->n_dst_addr = 4;
	*ret_file = file;
	return entry;
}

static void check_bad(const FileEntry *file, uint32_t *field, uint32_t value, int err)
{
	const uint32_t good = *field;

	CHECK_EQ(image_check_inet(file), 0);
	*field = value;
	CHECK_EQ(image_check_inet(file), err);
	*field = good;
}

int main(void)
{
	struct model model;
	FileEntry *file;
	InetSkEntry *entry;

	model_init(&model);
	entry = add_inet(&model, &file);
	check_bad(file, &entry->id, 77, -EINVAL);
	check_bad(file, &entry->family, AF_UNIX, -EINVAL);
	check_bad(file, &entry->family, AF_INET, -EINVAL);
	check_bad(file, &entry->type, SOCK_SEQPACKET, -ENOTSUP);
	check_bad(file, &entry->proto, IPPROTO_UDP, -ENOTSUP);
	check_bad(file, &entry->src_port, 65536, -EINVAL);
	check_bad(file, &entry->dst_port, 65536, -EINVAL);
	check_bad(file, &entry->backlog, 0x80000000, -EINVAL);
	entry->n_dst_addr = 1;
	CHECK_EQ(image_check_inet(file), -EINVAL);
	file->isk = NULL;
	CHECK_EQ(image_check_inet(file), -EINVAL);
	model_free(&model);
	return test_end();
}
