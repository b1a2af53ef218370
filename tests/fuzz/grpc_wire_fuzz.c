/* The small formats of gRPC; the first byte chooses. What is written by us must hold nothing that a header
 * may not. */
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/grpc_unpack.h"
#include "net/grpc_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(enum grpc_packing packing, struct str in)
{
    int64_t n = grpc_packed_size(packing, in, 1 << 20, NULL);
    if (n < 0) return;
    check(n <= 1 << 20);
    char *out = mem_alloc((size_t)n);
    check(grpc_unpack(packing, in, out, (size_t)n, NULL) <= n);
    mem_free(out);
}

static void texts(struct str in)
{
    struct buf out = BUF_INIT(1 << 20);
    grpc_text_write(&out, in);
    grpc_details_write(&out, GRPC_UNAVAILABLE, in, 1);
    for (size_t i = 0; i < out.n; i++) check(out.p[i] >= ' ' && out.p[i] <= '~');
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    struct str in = str_make(data + 1, size - 1), service;
    struct grpc_head head;
    int64_t ms;
    switch (data[0] % 7) {
    case 0: unpack(GRPC_GZIP, in); break;
    case 5: unpack(GRPC_ZSTD, in); break;
    case 6: unpack(GRPC_SNAPPY, in); break;
    case 1: texts(in); break;
    case 2:
        if (grpc_timeout_read(in, &ms)) check(ms >= 0);
        break;
    case 3:
        if (grpc_health_service(in, &service)) check(service.n < size);
        break;
    default:
        if (in.n >= GRPC_HEAD_BYTES) grpc_head_read(in.p, &head);
    }
    return 0;
}
