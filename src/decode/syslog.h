/* syslog.h - syslog over a stream: frames (RFC 6587), and messages (RFC 5424) -> log records.
 *
 *     APP-NAME is service.name, HOSTNAME host.name of the resource
 *     PROCID, MSGID, facility           attributes syslog.procid, syslog.msgid, syslog.facility (its word)
 *     [id name="value"]                 attributes id.name
 *     MSG                               body; its byte order mark is taken off
 *
 * What does not conform is kept: a priority in front is read, as far as it goes, and the rest is the body,
 * with the time of arrival. Only an empty message is none. */
#pragma once
#include "decode/record_sink.h"

#define SYSLOG_FRAME_MAX (1u << 20) /* of one message; RFC 5425 asks for 8 KiB at least */

enum syslog_framing { SYSLOG_MORE, SYSLOG_FRAME, SYSLOG_BROKEN };

/* The next message at the beginning of `bytes`: "123 <34>1 ..." counted, or up to a line break (or NUL).
 * SYSLOG_FRAME: *message is it, *used what to drop from the front; SYSLOG_MORE: not all there yet. With
 * `ended` nothing more will come: the rest is a message. SYSLOG_BROKEN: a count or line beyond
 * SYSLOG_FRAME_MAX; the connection has lost its way. */
enum syslog_framing syslog_frame(struct str bytes, bool ended, struct str *message, size_t *used);

/* One message into a sink of logs whose place says where it is from. */
int syslog_message(struct record_sink *, struct str message, struct err *);

/* All frames of a body; a broken one ends it with ERR_PARSE. */
record_decoder syslog_frames;
