/* grpc_server.h - unary gRPC over HTTP/2 (h2c by prior knowledge, or TLS with ALPN h2) on libnghttp2.
 *
 * One epoll thread owns all connections. A handler gets one whole message (decompressed) and answers at once
 * or later from any thread. Unknown method: UNIMPLEMENTED. Ceilings on message, streams, connections, header
 * list, resets, pings, settings; idle connections are closed. grpc.health.v1.Health/Check is answered here.
 */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum grpc_status {
    GRPC_OK,
    GRPC_CANCELLED,
    GRPC_UNKNOWN,
    GRPC_INVALID_ARGUMENT,
    GRPC_DEADLINE_EXCEEDED,
    GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED,
    GRPC_RESOURCE_EXHAUSTED,
    GRPC_FAILED_PRECONDITION,
    GRPC_ABORTED,
    GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED,
    GRPC_INTERNAL,
    GRPC_UNAVAILABLE,
    GRPC_DATA_LOSS,
    GRPC_UNAUTHENTICATED
};

struct grpc_server;
struct grpc_call;

typedef void grpc_handler(struct grpc_call *, void *ctx);

struct grpc_method {
    const char *path; /* "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" */
    grpc_handler *handle;
};

struct grpc_conf {
    const char *listen;
    size_t max_message_bytes; /* 0 = 64 MiB, after decompression too */
    unsigned max_connections; /* 0 = 1024 */
    const char *tls_cert_pem, *tls_key_pem;
};

struct grpc_server *grpc_server_new(void);
void grpc_server_methods(struct grpc_server *, const struct grpc_method *, size_t n, void *ctx);
int grpc_server_start(struct grpc_server *, const struct grpc_conf *, struct err *);
unsigned grpc_server_port(const struct grpc_server *);
void grpc_server_stop(struct grpc_server *, unsigned grace_ms); /* GOAWAY, finish, close */
void grpc_server_free(struct grpc_server *);

struct str grpc_message(const struct grpc_call *); /* borrowed until answered */
struct str grpc_metadata(const struct grpc_call *, const char *name);
struct arena *grpc_arena(struct grpc_call *);

/* Exactly once. reply: the response message for GRPC_OK (copied). text: for people, percent-encoded by us.
 * retry_after_ms > 0 adds google.rpc.RetryInfo in grpc-status-details-bin. */
void grpc_answer(struct grpc_call *, enum grpc_status, struct str reply, const char *text,
                 unsigned retry_after_ms);
