#include <sys/random.h>

#include "zdtmtst.h"

/* A prime, so that repetitions never fall on the same place of a page. */
#define CHUNK_BYTES 99971

#define CRC32_POLY 0xedb88320

static uint32_t crc32_update(uint32_t crc, const uint8_t *buf, size_t len)
{
	static uint32_t table[256];
	uint32_t i, k;

	if (!table[1])
		for (i = 256; i--;) {
			uint32_t c = i;

			for (k = 0; k < 8; k++)
				c = c & 1 ? (c >> 1) ^ CRC32_POLY : c >> 1;
			table[i] = c;
		}
	while (len--)
		crc = (crc >> 8) ^ table[(crc ^ *buf++) & 0xff];
	return crc;
}

static void fill_random(uint8_t *buf, size_t len)
{
	size_t chunk = len < CHUNK_BYTES ? len : CHUNK_BYTES;
	size_t done;

	for (done = 0; done < chunk;) {
		ssize_t n = getrandom(buf + done, chunk - done, 0);

		if (n < 0 && errno != EINTR) {
			pr_perror("getrandom");
			exit(1);
		}
		if (n > 0)
			done += n;
	}
	for (; done < len; done += chunk) {
		if (chunk > len - done)
			chunk = len - done;
		memcpy(buf + done, buf, chunk);
	}
}

static uint32_t load_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store_le32(uint8_t *p, uint32_t v)
{
	p[0] = v;
	p[1] = v >> 8;
	p[2] = v >> 16;
	p[3] = v >> 24;
}

void datagen2(uint8_t *buf, unsigned len, uint32_t *crc)
{
	fill_random(buf, len);
	if (crc)
		*crc = crc32_update(*crc, buf, len);
}

void datagen(uint8_t *buf, unsigned len, uint32_t *crc)
{
	uint32_t start = ~0U;

	if (!crc)
		crc = &start;
	if (len < 4) {
		memset(buf, 0, len);
		return;
	}
	fill_random(buf, len - 4);
	*crc = crc32_update(*crc, buf, len - 4);
	store_le32(buf + len - 4, ~*crc);
}

int datasum(const uint8_t *buf, unsigned len, uint32_t *crc)
{
	*crc = crc32_update(*crc, buf, len);
	return 0;
}

int datachk(const uint8_t *buf, unsigned len, uint32_t *crc)
{
	uint32_t start = ~0U, found;

	if (!crc)
		crc = &start;
	if (len < 4)
		return 1;
	*crc = crc32_update(*crc, buf, len - 4);
	found = load_le32(buf + len - 4);
	if (found != (uint32_t) ~*crc) {
		test_msg("CRC is %#x, the data say %#x\n", ~*crc, found);
		return 1;
	}
	return 0;
}
