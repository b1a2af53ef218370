/* grpc_wire.h - the small formats of gRPC over HTTP/2: message heads, timeouts, status texts and details.
 * Pure functions on bytes from strangers; fuzzed (tests/fuzz/grpc_wire_fuzz.c). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/grpc_server.h"

#define GRPC_HEAD_BYTES 5

/* | compressed u8 | length u32 big-endian | */
struct grpc_head {
    bool compressed;
    uint32_t length;
};

bool grpc_head_read(const char p[GRPC_HEAD_BYTES], struct grpc_head *); /* false: a flag other than 0 or 1 */
void grpc_head_write(struct buf *, uint32_t length);

/* "100m": at most 8 digits and one of H M S m u n. Rounded up to a millisecond. */
bool grpc_timeout_read(struct str, int64_t *ms);

/* grpc-message: bytes outside ' '..'~' and '%' as %XX. */
void grpc_text_write(struct buf *, struct str text);

/* grpc-status-details-bin: base64, without padding, of google.rpc.Status{code, message,
 * [RetryInfo{retry_delay}]}. */
void grpc_details_write(struct buf *, enum grpc_status, struct str text, unsigned retry_after_ms);

/* grpc.health.v1.HealthCheckRequest{1 service}. False when it is no such message. */
bool grpc_health_service(struct str message, struct str *service);
