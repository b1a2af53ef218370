/* crc32c.h - the Castagnoli checksum that guards every page, WAL record and manifest entry on disk.
 *
 * Start with 0 and feed pieces one after the other: crc32c(crc32c(0, a), b) is the checksum of a
 * followed by b. Uses the CPU's instruction where there is one, a table elsewhere. Any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n);
uint32_t crc32c_table(uint32_t crc, const void *p, size_t n); /* the portable way; same answer */
