/* syslog.h - syslog: frames of a stream (RFC 6587), and messages (RFC 5424, RFC 3164) -> log records.
 *
 *     APP-NAME, TAG is service.name, HOSTNAME host.name of the resource
 *     PROCID, MSGID, facility           attributes syslog.procid, syslog.msgid, syslog.facility (its word)
 *     [id name="value"]                 attributes id.name
 *     MSG                               body; its byte order mark is taken off
 *
 * The older form, as rsyslog and syslog-ng forward it unless told otherwise, is
 *
 *     <PRI>Oct 11 22:14:15 HOST TAG[PID]: MSG        HOST may be missing; RFC 3339 for the time, too
 *
 * Its time has neither year nor zone: it is taken as UTC of the year that brings it nearest to the time of
 * arrival. A sender whose clock shows local time east of it would be ahead of us: what is ahead by more than
 * SYSLOG_AHEAD_NS has the time of arrival, and its own as attribute syslog.timestamp.
 *
 * What does not conform is kept: a priority in front is read, as far as it goes, and the rest is the body,
 * with the time of arrival. Only an empty message is none. */
#pragma once
#include "decode/record_sink.h"

#define SYSLOG_FRAME_MAX (1u << 20) /* of one message; RFC 5425 asks for 8 KiB at least */
#define SYSLOG_AHEAD_NS  ((int64_t)60 * 1000000000)

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
