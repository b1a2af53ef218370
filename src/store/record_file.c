#include "store/record_file.h"

#include <string.h>

#include "base/file.h"
#include "store/bytes.h"
#include "store/crc32c.h"

#define MAGIC_BYTES 8
#define HEAD_BYTES  8
#define FILE_MAX    ((size_t)1 << 30)

void record_file_begin(struct buf *b, const char *magic)
{
    buf_add(b, magic, MAGIC_BYTES);
}

static uint32_t checksum(struct str payload)
{
    unsigned char length[4];
    for (int i = 0; i < 4; i++) length[i] = (unsigned char)(payload.n >> (8 * i));
    return crc32c(crc32c(0, length, sizeof length), payload.p, payload.n);
}

void record_file_add(struct buf *b, struct str payload)
{
    buf_u32le(b, (uint32_t)payload.n);
    buf_u32le(b, checksum(payload));
    buf_str(b, payload);
}

static int read_records(struct bytes *in, int (*visit)(void *ctx, struct str payload, struct err *),
                        void *ctx, struct err *e)
{
    for (size_t n = 0; bytes_left(in) > 0; n++) {
        uint32_t length = bytes_u32(in), crc = bytes_u32(in);
        struct str payload = bytes_take(in, length);
        if (in->failed || checksum(payload) != crc)
            return err_set(e, ERR_CORRUPT, "record %zu is damaged", n);
        int rc = visit(ctx, payload, e);
        if (rc < 0) return rc;
    }
    return OK;
}

int record_file_read(const char *path, const char *magic,
                     int (*visit)(void *ctx, struct str payload, struct err *), void *ctx, struct err *e)
{
    struct buf file = BUF_INIT(FILE_MAX);
    struct err mine = ERR_INIT;
    int rc = file_slurp(path, &file, &mine);
    if (rc == OK) {
        struct bytes in = bytes_of(buf_view(&file));
        struct str start = bytes_take(&in, MAGIC_BYTES);
        bool ours = start.n == MAGIC_BYTES && memcmp(start.p, magic, MAGIC_BYTES) == 0;
        rc = ours ? read_records(&in, visit, ctx, &mine)
                  : err_set(&mine, ERR_CORRUPT, "not a file of this kind");
        if (rc < 0) err_where(&mine, "%s", path);
    }
    buf_release(&file);
    if (rc == ERR_FIND) return OK;
    if (rc < 0 && e != NULL) *e = mine;
    return rc;
}
