/* Entries that no dump writes are turned down. */
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>

#include "files/files-internal.h"
#include "files/udp.h"
#include "files/unix-sk.h"
#include "image/image-check.h"
#include "util/test.h"

static void test_validate_signalfd(void)
{
	SignalfdEntry sgfd = SIGNALFD_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;

	entry.id = sgfd.id = 7;
	CHECK_EQ(signalfd_kind.validate(NULL, &entry), -EINVAL);
	entry.sgfd = &sgfd;
	CHECK_EQ(signalfd_kind.validate(NULL, &entry), 0);
	sgfd.sigmask = ~(1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1));
	CHECK_EQ(signalfd_kind.validate(NULL, &entry), 0);
	sgfd.sigmask = 1ULL << (SIGKILL - 1);
	CHECK_EQ(signalfd_kind.validate(NULL, &entry), -EINVAL);
	sgfd.sigmask = 0;
	sgfd.id = 8;
	CHECK_EQ(signalfd_kind.validate(NULL, &entry), -EINVAL);
}

static void test_validate_timerfd(void)
{
	const TimerfdEntry good = { .base = PROTOBUF_C_MESSAGE_INIT(&timerfd_entry__descriptor),
				    .clockid = CLOCK_BOOTTIME,
				    .settime_flags = 3,
				    .vsec = INT64_MAX,
				    .vnsec = 999999999 };
	FileEntry entry = FILE_ENTRY__INIT;
	TimerfdEntry tfd = good;

	CHECK_EQ(timerfd_kind.validate(NULL, &entry), -EINVAL);
	entry.tfd = &tfd;
	CHECK_EQ(timerfd_kind.validate(NULL, &entry), 0);
	tfd.clockid = CLOCK_PROCESS_CPUTIME_ID;
	CHECK_EQ(timerfd_kind.validate(NULL, &entry), -EINVAL);
	tfd = good;
	tfd.settime_flags = 4;
	CHECK_EQ(timerfd_kind.validate(NULL, &entry), -EINVAL);
	tfd = good;
	tfd.vsec = 1ULL << 63;
	CHECK_EQ(timerfd_kind.validate(NULL, &entry), -EINVAL);
	tfd = good;
	tfd.insec = 1000000000;
	CHECK_EQ(timerfd_kind.validate(NULL, &entry), -EINVAL);
	tfd = good;
	tfd.has_expiry_ns = true;
	tfd.expiry_ns = UINT64_MAX;
	CHECK_EQ(timerfd_kind.validate(NULL, &entry), -EINVAL);
}

static void test_validate_inotify(void)
{
	InotifyWdEntry watches[2] = { INOTIFY_WD_ENTRY__INIT, INOTIFY_WD_ENTRY__INIT },
		       *both[] = { watches, watches + 1 };
	InotifyFileEntry ify = INOTIFY_FILE_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;

	CHECK_EQ(inotify_kind.validate(NULL, &entry), -EINVAL);
	entry.ify = &ify;
	CHECK_EQ(inotify_kind.validate(NULL, &entry), 0);
	ify.wd = both;
	ify.n_wd = 2;
	watches[0].wd = 1;
	watches[1].wd = INT32_MAX;
	watches[1].mask = IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK;
	CHECK_EQ(inotify_kind.validate(NULL, &entry), 0);
	watches[1].wd = 1;
	CHECK_EQ(inotify_kind.validate(NULL, &entry), -EINVAL);
	watches[1].wd = 0;
	CHECK_EQ(inotify_kind.validate(NULL, &entry), -EINVAL);
	watches[1].wd = 1u << 31;
	CHECK_EQ(inotify_kind.validate(NULL, &entry), -EINVAL);
	watches[1].wd = 2;
	watches[1].mask |= IN_MASK_ADD;
	CHECK_EQ(inotify_kind.validate(NULL, &entry), -EINVAL);
}

static void test_validate_pidfd(void)
{
	PidfdEntry pidfd = PIDFD_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;
	struct model model;

	model_init(&model);
	CHECK_EQ(pidfd_kind.validate(&model, &entry), -EINVAL);
	entry.pidfd = &pidfd;
	pidfd.nspid = -1;
	CHECK_EQ(pidfd_kind.validate(&model, &entry), 0);
	pidfd.nspid = 0;
	CHECK_EQ(pidfd_kind.validate(&model, &entry), -EINVAL);
	pidfd.nspid = -2;
	CHECK_EQ(pidfd_kind.validate(&model, &entry), -EINVAL);
	/* No task of the image. */
	pidfd.nspid = 1;
	CHECK_EQ(pidfd_kind.validate(&model, &entry), -EINVAL);
	model_free(&model);
}

static void test_validate_rights(void)
{
	SkPacketEntry packet = SK_PACKET_ENTRY__INIT;
	ScmEntry scm = SCM_ENTRY__INIT, *scms[] = { &scm, &scm };
	uint32_t rights[UNIX_RIGHTS_MAX + 1] = { 0 };
	struct model model;
	FileEntry *file;

	model_init(&model);
	file = model_add_file(&model, FD_TYPES__UNIXSK);
	file->usk = model_new(&model, UnixSkEntry, unix_sk_entry__init);
	file->usk->type = SOCK_DGRAM;
	file->usk->state = UNIX_ESTABLISHED;
	VEC_ADD(&model.sk_packets)->entry = &packet;
	packet.id_for = file->id;
	scm.type = SCM_RIGHTS;
	scm.rights = rights;
	scm.n_rights = UNIX_RIGHTS_MAX;
	packet.scm = scms;
	packet.n_scm = 1;
	CHECK_EQ(unix_queues_validate(&model), 0);
	scm.n_rights++;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	scm.n_rights = 0;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	scm.n_rights = 1;
	packet.n_scm = 2;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	packet.n_scm = 1;
	scm.type = SCM_CREDENTIALS;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	scm.type = SCM_RIGHTS;
	/* The kernel takes none without a byte of the stream. */
	file->usk->type = SOCK_STREAM;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	packet.length = 1;
	CHECK_EQ(unix_queues_validate(&model), 0);
	file->usk->state = UNIX_LISTEN;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	model_free(&model);
}

static void test_validate_datagram(void)
{
	SkPacketEntry packet = SK_PACKET_ENTRY__INIT;
	InetPacketEntry inet = INET_PACKET_ENTRY__INIT;
	uint32_t words[4] = { 0 };
	char name[] = "a-device-name-of-17";
	struct model model;
	FileEntry *file;

	model_init(&model);
	file = model_add_file(&model, FD_TYPES__INETSK);
	file->isk = model_new(&model, InetSkEntry, inet_sk_entry__init);
	file->isk->family = AF_INET6;
	file->isk->type = SOCK_DGRAM;
	file->isk->proto = IPPROTO_UDP;
	VEC_ADD(&model.sk_packets)->entry = &packet;
	packet.id_for = file->id;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	packet.inet = &inet;
	inet.src_addr = inet.dst_addr = words;
	inet.n_src_addr = 4;
	inet.n_dst_addr = 1;
	CHECK_EQ(unix_queues_validate(&model), 0);
	inet.n_dst_addr = 2;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	inet.n_dst_addr = 0;
	inet.n_src_addr = 1;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	inet.n_src_addr = 4;
	packet.length = UDP_BYTES_MAX + 1;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	packet.length = UDP_BYTES_MAX;
	CHECK_EQ(unix_queues_validate(&model), 0);
	inet.src_port = UINT16_MAX + 1;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	inet.src_port = UINT16_MAX;
	inet.has_ttl = true;
	inet.ttl = 256;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	inet.ttl = 255;
	inet.ifname = name;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	inet.ifname = NULL;
	packet.n_scm = 1;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	packet.n_scm = 0;
	CHECK_EQ(unix_queues_validate(&model), 0);
	/* A stream has no datagrams, and a unix socket none of this kind. */
	file->isk->type = SOCK_STREAM;
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	file->isk = NULL;
	file->usk = model_new(&model, UnixSkEntry, unix_sk_entry__init);
	CHECK_EQ(unix_queues_validate(&model), -EINVAL);
	model_free(&model);
}

static void test_validate_ns(void)
{
	NsFileEntry nsf = NS_FILE_ENTRY__INIT;
	InventoryEntry inventory = INVENTORY_ENTRY__INIT;
	TaskKobjIdsEntry ids = TASK_KOBJ_IDS_ENTRY__INIT;
	FileEntry entry = FILE_ENTRY__INIT;
	struct model model;

	model_init(&model);
	CHECK_EQ(ns_kind.validate(&model, &entry), -EINVAL);
	entry.nsf = &nsf;
	CHECK_EQ(ns_kind.validate(&model, &entry), -EINVAL);
	nsf.ns_cflag = CLONE_NEWUTS;
	nsf.ns_id = 4;
	CHECK_EQ(ns_kind.validate(&model, &entry), -ENOTSUP);
	model.inventory = &inventory;
	CHECK_EQ(ns_kind.validate(&model, &entry), -ENOTSUP);
	inventory.root_ids = &ids;
	ids.uts_ns_id = 4;
	CHECK_EQ(ns_kind.validate(&model, &entry), 0);
	nsf.ns_id = 5;
	CHECK_EQ(ns_kind.validate(&model, &entry), -ENOTSUP);
	model_free(&model);
}

/* References and handles are checked when the image is read. */
static void test_check_inotify(void)
{
	InotifyWdEntry watch = INOTIFY_WD_ENTRY__INIT, *watches[] = { &watch };
	FhEntry handle = FH_ENTRY__INIT;
	uint64_t words[16] = { 0 };
	struct model model;
	FileEntry *entry;

	model_init(&model);
	entry = model_add_file(&model, FD_TYPES__INOTIFY);
	CHECK_EQ(image_check_files(&model), -EINVAL);
	entry->ify = model_new(&model, InotifyFileEntry, inotify_file_entry__init);
	entry->ify->id = entry->id;
	entry->ify->wd = watches;
	entry->ify->n_wd = 1;
	watch.f_handle = &handle;
	handle.handle = words;
	handle.n_handle = ARRAY_SIZE(words);
	handle.bytes = sizeof(words);
	CHECK_EQ(image_check_files(&model), 0);
	handle.bytes++;
	CHECK_EQ(image_check_files(&model), -EINVAL);
	handle.bytes = 16;
	handle.n_handle = 1;
	CHECK_EQ(image_check_files(&model), -EINVAL);
	handle.bytes = 8;
	CHECK_EQ(image_check_files(&model), 0);
	handle.path = "relative";
	CHECK_EQ(image_check_files(&model), -EINVAL);
	handle.path = "/absolute";
	watch.has_file_id = true;
	watch.file_id = entry->id;
	CHECK_EQ(image_check_files(&model), -EINVAL);
	model_free(&model);
}

int main(void)
{
	test_check_inotify();
	test_validate_pidfd();
	test_validate_ns();
	test_validate_rights();
	test_validate_datagram();
	test_validate_inotify();
	test_validate_signalfd();
	test_validate_timerfd();
	return test_end();
}
