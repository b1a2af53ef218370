/* crc32c.c - CRC-32C: polynomial 0x1edc6f41, bits reflected, register and result inverted (RFC
 * 3720, B.4). */
#include "store/crc32c.h"

#include <string.h>

#define POLY   0x82f63b78u /* 0x1edc6f41 with its bits reversed */
#define SLICES 8

/* table[k][b]: byte b followed by k zero bytes. Filled before main, then only read. */
static uint32_t table[SLICES][256];

__attribute__((constructor)) static void table_fill(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ (c & 1 ? POLY : 0);
        table[0][b] = c;
    }
    for (int k = 1; k < SLICES; k++)
        for (int b = 0; b < 256; b++) table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 255];
}

uint32_t crc32c_table(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *at = p;
    crc = ~crc;
    for (; n >= 8; n -= 8, at += 8) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
              table[4][crc >> 24] ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
    }
    while (n-- > 0) crc = (crc >> 8) ^ table[0][(crc ^ *at++) & 255];
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *at = p;
    uint64_t c = ~crc;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    while (n-- > 0) c = __builtin_ia32_crc32qi((uint32_t)c, *at++);
    return ~(uint32_t)c;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, p, n) : crc32c_table(crc, p, n);
}

#else

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return crc32c_table(crc, p, n);
}

#endif
