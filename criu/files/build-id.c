#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "files/build-id.h"

/* More than any linker emits; a file that claims more is not worth reading. */
#define MAX_PHDRS	256
#define MAX_NOTES_BYTES 65536

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~(uint64_t)3;
}

void build_id_parse_notes(const void *notes, size_t bytes, struct build_id *ret)
{
	const uint8_t *data = notes;
	uint64_t at = 0;

	memset(ret, 0, sizeof(*ret));
	while (at + sizeof(Elf64_Nhdr) <= bytes) {
		Elf64_Nhdr note;
		uint64_t name, desc;

		memcpy(&note, data + at, sizeof(note));
		name = at + sizeof(note);
		desc = name + align4(note.n_namesz);
		at = desc + align4(note.n_descsz);
		if (desc + note.n_descsz > bytes)
			return;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof(ELF_NOTE_GNU) ||
		    memcmp(data + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)))
			continue;
		if (!note.n_descsz || note.n_descsz > BUILD_ID_MAX_BYTES)
			return;
		memcpy(ret->words, data + desc, note.n_descsz);
		ret->n_words = align4(note.n_descsz) / 4;
		return;
	}
}

static bool read_at(int fd, void *buf, size_t bytes, uint64_t offset)
{
	return offset <= INT64_MAX && pread(fd, buf, bytes, offset) == (ssize_t)bytes;
}

static void read_segment(int fd, uint64_t offset, uint64_t bytes, struct build_id *ret)
{
	auto_free void *notes = NULL;

	if (!bytes || bytes > MAX_NOTES_BYTES)
		return;
	notes = xalloc(bytes);
	if (read_at(fd, notes, bytes, offset))
		build_id_parse_notes(notes, bytes, ret);
}

static void read_elf64(int fd, struct build_id *ret)
{
	Elf64_Ehdr elf;
	Elf64_Phdr phdr;

	if (!read_at(fd, &elf, sizeof(elf), 0) || elf.e_phentsize != sizeof(phdr) || elf.e_phnum > MAX_PHDRS)
		return;
	for (unsigned int i = 0; i < elf.e_phnum && !ret->n_words; i++) {
		if (!read_at(fd, &phdr, sizeof(phdr), elf.e_phoff + i * sizeof(phdr)))
			return;
		if (phdr.p_type == PT_NOTE)
			read_segment(fd, phdr.p_offset, phdr.p_filesz, ret);
	}
}

static void read_elf32(int fd, struct build_id *ret)
{
	Elf32_Ehdr elf;
	Elf32_Phdr phdr;

	if (!read_at(fd, &elf, sizeof(elf), 0) || elf.e_phentsize != sizeof(phdr) || elf.e_phnum > MAX_PHDRS)
		return;
	for (unsigned int i = 0; i < elf.e_phnum && !ret->n_words; i++) {
		if (!read_at(fd, &phdr, sizeof(phdr), elf.e_phoff + i * sizeof(phdr)))
			return;
		if (phdr.p_type == PT_NOTE)
			read_segment(fd, phdr.p_offset, phdr.p_filesz, ret);
	}
}

void build_id_read(int fd, struct build_id *ret)
{
	uint8_t ident[EI_NIDENT];

	memset(ret, 0, sizeof(*ret));
	if (!read_at(fd, ident, sizeof(ident), 0) || memcmp(ident, ELFMAG, SELFMAG))
		return;
	if (ident[EI_CLASS] == ELFCLASS64)
		read_elf64(fd, ret);
	else if (ident[EI_CLASS] == ELFCLASS32)
		read_elf32(fd, ret);
}
