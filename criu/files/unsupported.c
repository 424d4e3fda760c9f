/* What no kind saves, called by the name a user knows it by. */
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "files/files-internal.h"
#include "files/sock-opts.h"

static const struct {
	const char *link; /* prefix of the readlink text */
	const char *what;
} by_link[] = {
	{ "anon_inode:[io_uring]", "io_uring instance" },
	{ "anon_inode:[userfaultfd]", "userfaultfd" },
	{ "anon_inode:bpf-map", "bpf map" },
	{ "anon_inode:bpf-prog", "bpf program" },
	{ "anon_inode:bpf", "bpf object" },
	{ "anon_inode:[perf_event]", "perf event" },
	{ "anon_inode:[fscontext]", "file system context" },
	{ "anon_inode:[landlock-ruleset]", "landlock ruleset" },
	{ "anon_inode:seccomp notify", "seccomp notifier" },
	{ "anon_inode:kvm", "virtual machine" },
	{ "anon_inode:", "anonymous inode" },
};

static const struct {
	int domain, type, protocol; /* -1: any */
	const char *what;
} by_socket[] = {
	{ AF_INET, -1, 136, "UDP-Lite socket" },      { AF_INET6, -1, 136, "UDP-Lite socket" },
	{ AF_INET, -1, 132, "SCTP socket" },	      { AF_INET6, -1, 132, "SCTP socket" },
	{ AF_INET, -1, 262, "multipath TCP socket" }, { AF_INET6, -1, 262, "multipath TCP socket" },
	{ AF_INET, SOCK_DGRAM, 1, "ICMP socket" },    { AF_INET6, SOCK_DGRAM, 58, "ICMP socket" },
	{ AF_INET, -1, -1, "IPv4 socket" },	      { AF_INET6, -1, -1, "IPv6 socket" },
	{ AF_VSOCK, -1, -1, "vsock socket" },	      { AF_ALG, -1, -1, "kernel crypto socket" },
};

static const char *socket_what(int fd)
{
	int domain = sock_option(fd, SO_DOMAIN), type = sock_option(fd, SO_TYPE);
	int protocol = sock_option(fd, SO_PROTOCOL);

	for (size_t i = 0; i < ARRAY_SIZE(by_socket); i++)
		if (by_socket[i].domain == domain && (by_socket[i].type < 0 || by_socket[i].type == type) &&
		    (by_socket[i].protocol < 0 || by_socket[i].protocol == protocol))
			return by_socket[i].what;
	return "socket";
}

static const char *link_what(const char *link)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_link); i++)
		if (!strncmp(link, by_link[i].link, strlen(by_link[i].link)))
			return by_link[i].what;
	return "file of an unknown kind";
}

void unsupported_refuse(struct files_dump *ctx, const struct file_desc *desc)
{
	const struct stat *st = &desc->st;

	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		refuse(ctx->refusals,
		       "%s device %s (%u:%u): its state is in the driver; close it before the dump, or keep it with "
		       "--external file[%x:%llx] and give it back with --inherit-fd",
		       S_ISBLK(st->st_mode) ? "block" : "character", desc->link, major(st->st_rdev), minor(st->st_rdev),
		       desc->info.mnt_id, (unsigned long long)st->st_ino);
		return;
	}
	refuse(ctx->refusals, "%s (%s): not supported by this version; close it before the dump",
	       S_ISSOCK(st->st_mode) ? socket_what(desc->fd) : link_what(desc->link), desc->link);
}
