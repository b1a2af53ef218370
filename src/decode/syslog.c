#include "decode/syslog.h"

#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "decode/level_detect.h"
#include "decode/severity.h"
#include "decode/time_text.h"

/* ---- frames ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "123 ": how long it is and what it counts. */
static enum syslog_framing counted(struct str bytes, bool ended, struct str *message, size_t *used)
{
    size_t n = 0, i = 0;
    for (; i < bytes.n && is_digit(bytes.p[i]); i++) {
        n = n * 10 + (size_t)(bytes.p[i] - '0');
        if (n > SYSLOG_FRAME_MAX) return SYSLOG_BROKEN;
    }
    if (i == bytes.n && !ended) return SYSLOG_MORE;
    if (i == bytes.n || bytes.p[i] != ' ') return SYSLOG_BROKEN; /* no count after all */
    i++;
    if (bytes.n - i < n && !ended) return SYSLOG_MORE;
    *message = str_make(bytes.p + i, MIN(n, bytes.n - i));
    *used = i + message->n;
    return SYSLOG_FRAME;
}

static enum syslog_framing line(struct str bytes, bool ended, struct str *message, size_t *used)
{
    size_t i = 0, look = MIN(bytes.n, (size_t)SYSLOG_FRAME_MAX + 1);
    while (i < look && bytes.p[i] != '\n' && bytes.p[i] != 0) i++;
    if (i > SYSLOG_FRAME_MAX) return SYSLOG_BROKEN;
    if (i == bytes.n && !ended) return SYSLOG_MORE;
    *message = str_make(bytes.p, i);
    *used = MIN(i + 1, bytes.n);
    return SYSLOG_FRAME;
}

/* A count is followed by a blank and the < of a priority: "12 monkeys" is a line. */
static bool may_be_count(struct str bytes)
{
    size_t i = 0;
    while (i < bytes.n && i < 8 && is_digit(bytes.p[i])) i++;
    if (i < bytes.n && bytes.p[i] != ' ') return false;
    return i + 1 >= bytes.n || bytes.p[i + 1] == '<';
}

enum syslog_framing syslog_frame(struct str bytes, bool ended, struct str *message, size_t *used)
{
    if (bytes.n == 0) return SYSLOG_MORE;
    if (bytes.p[0] < '1' || bytes.p[0] > '9' || !may_be_count(bytes))
        return line(bytes, ended, message, used);
    enum syslog_framing f = counted(bytes, ended, message, used);
    return f == SYSLOG_BROKEN && ended ? line(bytes, ended, message, used) : f;
}

/* ---- messages ---- */

static const char *const facilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
};

static bool take_priority(struct str *s, unsigned *out)
{
    size_t i = 1;
    unsigned n = 0;
    if (s->n < 3 || s->p[0] != '<') return false;
    for (; i < s->n && i < 4 && is_digit(s->p[i]); i++) n = n * 10 + (unsigned)(s->p[i] - '0');
    if (i == 1 || i == s->n || s->p[i] != '>' || n > 191) return false;
    *out = n;
    s->p += i + 1, s->n -= i + 1;
    return true;
}

/* The next word and the blank after it; "-" is none. */
static bool take_word(struct str *s, struct str *out)
{
    const char *blank = s->n ? memchr(s->p, ' ', s->n) : NULL;
    size_t n = blank ? (size_t)(blank - s->p) : s->n;
    if (n == 0) return false;
    *out = str_make(s->p, n);
    if (str_is(*out, "-")) out->n = 0;
    s->p += n + (blank != NULL), s->n -= n + (blank != NULL);
    return true;
}

/* "value" with \" \\ \] */
static bool take_param_value(struct str *s, struct arena *a, struct str *out)
{
    char *text = arena_alloc(a, s->n + 1), *to = text;
    size_t i = 0;
    for (; i < s->n && s->p[i] != '"'; i++) {
        if (s->p[i] == '\\' && i + 1 < s->n && strchr("\"\\]", s->p[i + 1]) != NULL && s->p[i + 1] != 0) i++;
        *to++ = s->p[i];
    }
    if (i == s->n) return false;
    *out = str_make(text, (size_t)(to - text));
    s->p += i + 1, s->n -= i + 1;
    return true;
}

static bool take_name(struct str *s, struct str *out)
{
    size_t i = 0;
    while (i < s->n && s->p[i] > ' ' && s->p[i] != '=' && s->p[i] != ']' && s->p[i] != '"') i++;
    *out = str_make(s->p, i);
    s->p += i, s->n -= i;
    return i > 0;
}

static struct str joined(struct str id, struct str name, struct arena *a)
{
    char *text = arena_alloc(a, id.n + name.n + 1);
    memcpy(text, id.p, id.n);
    text[id.n] = '.';
    memcpy(text + id.n + 1, name.p, name.n);
    return str_make(text, id.n + name.n + 1);
}

static bool take(struct str *s, char c)
{
    if (s->n == 0 || s->p[0] != c) return false;
    s->p++, s->n--;
    return true;
}

/* "-", or [id name="value" ...] any number of times. */
static bool structured_data(struct str *rest, struct record_sink *s)
{
    struct str id, name, value;
    if (take(rest, '-')) return rest->n == 0 || take(rest, ' ');
    if (rest->n == 0 || rest->p[0] != '[') return false;
    while (take(rest, '[')) {
        if (!take_name(rest, &id)) return false;
        while (take(rest, ' ')) {
            if (!take_name(rest, &name) || !take(rest, '=') || !take(rest, '"')) return false;
            if (!take_param_value(rest, s->at, &value)) return false;
            record_put_text(s, &s->attrs, joined(id, name, s->at), value);
        }
        if (!take(rest, ']')) return false;
    }
    return rest->n == 0 || take(rest, ' ');
}

struct header {
    struct str app, host;
};

static void put_word(struct record_sink *s, struct str name, struct str text)
{
    if (text.n > 0) record_put_text(s, &s->attrs, name, text);
}

/* All that stands before the message; false: it is not RFC 5424, and nothing has been kept of it. */
static bool read_5424(struct str *rest, struct record_sink *s, struct header *h)
{
    struct str version, time, procid, msgid;
    if (!take_word(rest, &version) || !str_is(version, "1")) return false;
    if (!take_word(rest, &time) || !take_word(rest, &h->host) || !take_word(rest, &h->app)) return false;
    if (!take_word(rest, &procid) || !take_word(rest, &msgid)) return false;
    if (time.n > 0 && !time_from_rfc3339(time, &s->record.time_ns)) return false;
    put_word(s, STR("syslog.procid"), procid);
    put_word(s, STR("syslog.msgid"), msgid);
    return structured_data(rest, s);
}

/* ---- RFC 3164 ---- */

#define STAMP_BYTES 15 /* "Oct  1 22:14:15" */

/* "Oct  1 22:14:15" as it was in a year: false when that year had no such day. */
static bool stamp_in(struct str stamp, int year, int64_t *ns)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[32];
    int month = 0;
    while (month < 12 && memcmp(months + 3 * (size_t)month, stamp.p, 3) != 0) month++;
    if (month == 12 || stamp.p[3] != ' ' || stamp.p[6] != ' ') return false;
    size_t n = (size_t)snprintf(text, sizeof text, "%04d-%02d-%c%cT%.8sZ", year, month + 1,
                                stamp.p[4] == ' ' ? '0' : stamp.p[4], stamp.p[5], stamp.p + 7);
    return time_from_rfc3339(str_make(text, n), ns);
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* Of this year, the last and the next that which is nearest to now. */
static bool stamp_near(struct str stamp, int64_t now_ns, int64_t *ns)
{
    const time_t now_s = (time_t)(now_ns / 1000000000);
    struct tm now;
    int64_t at;
    bool found = false;
    gmtime_r(&now_s, &now);
    for (int year = now.tm_year + 1899; year <= now.tm_year + 1901; year++) {
        if (!stamp_in(stamp, year, &at)) continue;
        if (!found || distance(at, now_ns) < distance(*ns, now_ns)) *ns = at;
        found = true;
    }
    return found;
}

static bool take_time(struct str *rest, struct record_sink *s)
{
    struct str stamp = str_make(rest->p, STAMP_BYTES), word;
    int64_t *ns = &s->record.time_ns;
    if (rest->n <= STAMP_BYTES || rest->p[STAMP_BYTES] != ' ' || !stamp_near(stamp, s->options->now_ns, ns)) {
        if (!take_word(rest, &word) || !time_from_rfc3339(word, ns)) return false;
    } else {
        rest->p += STAMP_BYTES + 1, rest->n -= STAMP_BYTES + 1;
        if (*ns - s->options->now_ns <= SYSLOG_AHEAD_NS) return true;
        *ns = 0;
        record_put_text(s, &s->attrs, STR("syslog.timestamp"), stamp);
    }
    return true;
}

/* "app[7]:" or "app:", and what is behind it; "app[7]", too, as rsyslog writes what came in the newer form.
 */
static bool take_tag(struct str *rest, struct str *app, struct str *pid)
{
    size_t i = 0;
    while (i < rest->n && rest->p[i] > ' ' && strchr(":[]", rest->p[i]) == NULL) i++;
    if (i == 0 || i == rest->n || rest->p[i] <= ' ' || rest->p[i] == ']') return false;
    *app = str_make(rest->p, i);
    *pid = STR("");
    if (rest->p[i] == '[') {
        size_t end = ++i;
        while (end < rest->n && rest->p[end] > ' ' && rest->p[end] != ']') end++;
        if (end == rest->n || rest->p[end] != ']') return false;
        if (end + 1 < rest->n && strchr(": ", rest->p[end + 1]) == NULL) return false;
        *pid = str_make(rest->p + i, end - i);
        i = end + 1;
    }
    i = MIN(i + 1, rest->n);
    rest->p += i, rest->n -= i;
    return true;
}

/* All that stands before the message, as above. Without a tag the first word is the host only when a tag
 * follows it: "warning: hot" and "box is hot" are messages. */
static bool read_3164(struct str *rest, struct record_sink *s, struct header *h)
{
    struct str pid = STR(""), host, after;
    if (!take_time(rest, s)) return false;
    after = *rest;
    if (!take_tag(&after, &h->app, &pid)) {
        after = *rest;
        if (take_word(&after, &host) && take_tag(&after, &h->app, &pid))
            h->host = host;
        else
            after = *rest;
    }
    *rest = str_trim(after);
    put_word(s, STR("syslog.procid"), pid);
    return true;
}

/* ---- a message ---- */

static void set_origin(struct record_sink *s, const struct header *h)
{
    struct attr resource[2];
    size_t n = 0;
    if (h->app.n > 0) resource[n++] = (struct attr){ STR("service.name"), record_value_text(s, h->app) };
    if (h->host.n > 0) resource[n++] = (struct attr){ STR("host.name"), record_value_text(s, h->host) };
    record_origin_of(s, resource, n, STR(""), STR(""));
}

/* One form or the other is taken off the message, or none. */
static void read_header(struct str *message, struct record_sink *s, struct header *h)
{
    bool (*const forms[])(struct str *, struct record_sink *, struct header *) = { read_5424, read_3164 };
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct str rest = *message;
        if (forms[i](&rest, s, h)) {
            if (str_starts(rest, "\xef\xbb\xbf")) rest.p += 3, rest.n -= 3;
            *message = rest;
            return;
        }
        *h = (struct header){ .app = { NULL, 0 } };
        s->attrs.n = 0;
        s->record.time_ns = 0;
    }
}

int syslog_message(struct record_sink *s, struct str message, struct err *e)
{
    struct header h = { .app = { NULL, 0 } };
    unsigned priority = 0;

    message = str_trim(message);
    if (message.n == 0) return OK;
    record_begin(s);
    bool has_priority = take_priority(&message, &priority);
    if (has_priority) read_header(&message, s, &h);
    if (has_priority) {
        s->record.log.severity = severity_of_syslog(priority & 7);
        record_put(s, &s->attrs, STR("syslog.facility"), value_str(str_of(facilities[priority >> 3])));
    } else
        s->record.log.severity = level_detect(message, s->at);
    if (s->record.time_ns == 0) s->record.time_ns = s->options->now_ns;
    s->record.log.body = record_value_text(s, message);
    set_origin(s, &h);
    return record_add(s, e);
}

/* ---- a body of frames ---- */

struct frames {
    struct record_sink sink;
    size_t frame_no;
    char place[32];
};

static const char *place(void *reader)
{
    struct frames *f = reader;
    snprintf(f->place, sizeof f->place, "message %zu", f->frame_no);
    return f->place;
}

int syslog_frames(struct str body, const struct record_options *options, struct records *out,
                  struct record_report *report, struct err *e)
{
    struct frames f = { .frame_no = 1 };
    struct str message;
    size_t used;
    int rc = OK;

    check(out->table == TABLE_LOGS);
    record_sink_init(&f.sink, out, options, report, place, &f);
    while (rc == OK && body.n > 0) {
        if (syslog_frame(body, true, &message, &used) != SYSLOG_FRAME)
            rc = err_set(e, ERR_PARSE, "message %zu: longer than %u bytes", f.frame_no, SYSLOG_FRAME_MAX);
        else {
            rc = syslog_message(&f.sink, message, e);
            body.p += used, body.n -= used;
            f.frame_no++;
        }
    }
    record_sink_release(&f.sink);
    return rc;
}
