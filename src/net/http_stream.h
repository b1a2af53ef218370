/* http_stream.h - an answer that goes on: server-sent events, or the text messages of a WebSocket.
 *
 *     struct http_stream *s = http_stream_begin(x, "text/event-stream");    the exchange is gone
 *     while (http_stream_put(s, piece, 1)) ...                              from any thread, never blocks
 *     http_stream_end(s);
 *
 * Between the writer and the client stands a queue with a ceiling. When the client reads too slowly the
 * oldest whole pieces are dropped and their weights counted: a late client loses, the server never grows.
 * Both kinds of stream have the same handle, so that what feeds them need not know which one it is.
 *
 * Streams end when the writer ends them, when the client hangs up (noticed within a second, for WebSockets
 * without a goodbye within 90), and when the server stops, which does not wait for them.
 *
 * Threads: any; a stream has a lock of its own. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "net/http_server.h"

#define HTTP_STREAM_BYTES  (4u << 20) /* of a queue; a single larger piece is dropped, too */
#define HTTP_STREAM_PIECES 4096       /* of a queue */
#define HTTP_STREAMS_MAX   256        /* open at a time in one server; beyond, 503 */

struct http_stream;

/* Status 200, chunked. NULL: too many streams, and the exchange has been answered. */
struct http_stream *http_stream_begin(struct http_exchange *, const char *content_type);

/* The same over a WebSocket (RFC 6455): each piece is a text message. NULL: the request is no sound
 * handshake, comes from a page of another origin, or there are too many streams; then it has been answered.
 */
struct http_stream *http_stream_websocket(struct http_exchange *);

/* Queue a copy of piece. False once nobody will read it: then http_stream_end. */
bool http_stream_put(struct http_stream *, struct str piece, uint64_t weight);
bool http_stream_is_open(struct http_stream *);
uint64_t http_stream_dropped(struct http_stream *); /* weights lost since the last call */
/* What is queued is still sent; the handle is void. NULL is fine. */
void http_stream_end(struct http_stream *);
