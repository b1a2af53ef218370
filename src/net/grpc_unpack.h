/* grpc_unpack.h - packed gRPC messages: gzip, zstd, and snappy in its stream format, which is what "snappy"
 * means to gRPC's senders (over HTTP it is one block). Pure functions on bytes from strangers; fuzzed
 * (tests/fuzz/grpc_wire_fuzz.c).
 *
 *     int64_t n = grpc_packed_size(packing, in, max, &e);      at most so many bytes come out
 *     n = grpc_unpack(packing, in, out, (size_t)n, &e);        so many did
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum grpc_packing { GRPC_PLAIN, GRPC_GZIP, GRPC_ZSTD, GRPC_SNAPPY };
#define GRPC_PACKINGS "identity,gzip,zstd,snappy"

/* Of grpc-encoding; empty is plain. */
bool grpc_packing_find(struct str encoding, enum grpc_packing *);

/* What `in` says it unpacks to, or a bound of it. ERR_PARSE: no such thing; ERR_LIMIT: above max, or
 * impossible. */
int64_t grpc_packed_size(enum grpc_packing, struct str in, size_t max, struct err *);
/* Into n bytes at out; how many there are, or ERR_PARSE. */
int64_t grpc_unpack(enum grpc_packing, struct str in, char *out, size_t n, struct err *);
