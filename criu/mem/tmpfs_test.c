#include "mem/tmpfs.h"
#include "util/mem.h"
#include "util/test.h"

static void check(const char *super_options, const char *noticed)
{
	auto_free char *got = tmpfs_options(super_options);

	CHECK_STR(got, noticed);
}

int main(void)
{
	check("", "");
	check("rw,size=100k,nr_inodes=3,mode=755,uid=7,inode64", "");
	check("rw,huge=never,size=1k", "");
	check("rw,size=1k,huge=within_size,noswap", "huge=within_size,noswap");
	check("rw,mpol=bind:0,2-3,huge=always", "mpol=bind:0,2-3,huge=always");
	check("rw,mpol=bind=static:1,3,inode64", "mpol=bind=static:1,3");
	check("usrquota,usrquota_block_hardlimit=5,grpquotas,noswapper", "usrquota,usrquota_block_hardlimit=5");
	check(",,noswap,", "noswap");
	return test_end();
}
